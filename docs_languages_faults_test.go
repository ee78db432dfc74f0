package onceward_test

import (
	"strings"
	"testing"
)

// Two pages that say the same. The fences are tildes here: a raw string has no backquotes, and inline code is written as ' '.
const (
	englishPage = `# onceward

[中文](page.zh-CN.md)

## Where it stands

The server waits for 2 s, with 'Config.Wait' or without, and says [why](other.md#key-reused). More is [below](#a-client).

~~~
client ── POST ──► server   done at 30 %
client ✗◄───── server   the reply is lost
~~~

* A list has items, and each is a short sentence that can be told from another language.
  This one goes on.
* One more.

## key-reused

422 · false · The key belongs to another request.

~~~go
n := 1 // one
m := 2
~~~

## A client

| what | meaning | default |
|---|---|---|
| '--listen' | the address that it listens on, and nobody else | '127.0.0.1:9000' |
| seed | the number that all of the randomness comes from | drawn |

<!-- behave: generated -->
| case | us | 'them' |
|---|---|---|
| reply lost | 1 | 2 |
<!-- /behave -->
`
	chinesePage = `# onceward

[English](page.md)

## 放在哪里

无论有没有 'Config.Wait'，服务端都等 2 秒，并且说明[原因](other.zh-CN.md#key-reused)。其余见[下文](#客户端)。

~~~
客户端 ── POST ──► 服务端   完成 30%
客户端 ✗◄───── 服务端   响应丢失
~~~

* 列表有若干项。**每项**都是一句短话，一看就不是另一种语言。
  **这一项**还没完。
* 还有一项。

## key-reused

422 · false · 这个键属于另一个请求。

~~~go
n := 1 // one
m := 2
~~~

## 客户端

| 参数 | 含义 | 默认值 |
|---|---|---|
| '--listen' | 监听的地址 | '127.0.0.1:9000' |
| 种子 | 随机数的种子 | 随机抽取 |

<!-- behave: generated -->
| 情况 | 我们 | 'they' |
|---|---|---|
| 响应丢失 | 3 | 4 |
<!-- /behave -->
`
)

// pageFaults compares the pair after changes to the Chinese page.
func pageFaults(english string, chinese ...string) []string {
	page := func(name, text string) docPage {
		return parsePage(name, strings.NewReplacer("'", "`", "~", "`").Replace(text))
	}
	known := func(name string) bool { return name == "docs/other.zh-CN.md" || name == "docs/page.zh-CN.md" }
	return languageFaults(page("docs/page.md", english), page("docs/page.zh-CN.md", strings.NewReplacer(chinese...).Replace(chinesePage)), known)
}

func TestLanguageFaultsAreSeen(t *testing.T) {
	if faults := pageFaults(englishPage); len(faults) > 0 {
		t.Fatalf("two equal pages differ: %q", faults)
	}
	row := "| 种子 | 随机数的种子 | 随机抽取 |\n"
	for name, c := range map[string]struct{ old, changed, want string }{
		"a heading is missing":             {"## 客户端\n", "", `docs/page.md has 4 headings, docs/page.zh-CN.md has 3; they differ from heading 4 on`},
		"a heading's level":                {"## 客户端", "### 客户端", `from heading 4 on`},
		"a type's name":                    {"## key-reused", "## key-reuse", `from heading 3 on`},
		"a heading is not translated":      {"## 放在哪里", "## Where it stands", `heading is not translated`},
		"a heading that is linked to":      {"## 客户端", "## 客户", `only in English ["heading 4 of this page"], only in Chinese ["docs/page.zh-CN.md has no heading #客户端"]`},
		"a changed line of code":           {"m := 2", "m := 3", `"key-reused": code block 1, line 2: "m := 2" in English, "m := 3" in Chinese`},
		"a changed comment in code":        {"// one", "// 一", `code block 1, line 1`},
		"a line of code is missing":        {"m := 2\n", "", `code block 1: 2 lines of "go" in English, 1 of "go" in Chinese`},
		"another language":                 {"~~~go", "~~~sh", `2 of "sh" in Chinese`},
		"a block is missing":               {"~~~go\nn := 1 // one\nm := 2\n~~~\n", "", `1 code blocks in English, 0 in Chinese`},
		"a line of a diagram":              {"客户端 ✗◄───── 服务端   响应丢失\n", "", `code block 1: 2 lines of "" in English, 1`},
		"a number in a diagram":            {"30%", "20%", `number, true or false: only in English ["30"], only in Chinese ["20"]`},
		"a row is missing":                 {row, "", `"A client", docs/page.zh-CN.md:27 "客户端": tables, as cells in each row: [[3 3 3 3] [3 3 3]] in English, [[3 3 3] [3 3 3]]`},
		"a row lacks a cell":               {"| 监听的地址 ", "", `[[3 3 2 3] [3 3 3]]`},
		"a row of a generated table":       {"| 响应丢失 | 3 | 4 |\n", "", `[[3 3 3 3] [3 3]]`},
		"a list item is missing":           {"* 还有一项。\n", "", `list items: ["*" "*"] in English, ["*"]`},
		"a list is numbered":               {"* 还有一项。\n", "1. 还有一项。\n", `["*" "1."]`},
		"a list item is deeper":            {"* 还有一项。\n", "  * 还有一项。\n", `["*" "  *"]`},
		"a dropped link":                   {"[原因](other.zh-CN.md#key-reused)", "原因", `link: only in English ["docs/other.md#key-reused"]`},
		"a link to another place":          {"other.zh-CN.md#key-reused", "other.md#key-missing", `only in Chinese ["docs/other.md#key-missing"]`},
		"a link to a page that is nowhere": {"other.zh-CN.md", "else.zh-CN.md", `only in Chinese ["docs/else.zh-CN.md#key-reused"]`},
		"a stale name":                     {"'Config.Wait'", "'Config.WaitFor'", "inline code: only in English [\"`Config.Wait`\"], only in Chinese [\"`Config.WaitFor`\"]"},
		"a stale name in a table":          {"'127.0.0.1:9000'", "'127.0.0.1:8080'", "inline code: only in English"},
		"a stale number":                   {"2 秒", "5 秒", `number, true or false: only in English ["2"], only in Chinese ["5"]`},
		"a stale truth":                    {"· false", "· true", `only in English ["false"], only in Chinese ["true"]`},
		"a paragraph is not translated":    {"这个键属于另一个请求。", "The key belongs to another request.", `line 20 of the Chinese page is not translated`},
		"short rows are not translated":    {"这个键属于另一个请求。", "The key belongs.\n\nTo another.\n\nRequest.", `the Chinese section is not translated`},
		"a line break in a sentence":       {"每项**都是一句短话，", "每项**都是一句短话，\n", `"，\n一": a line break between Chinese characters is shown as a space`},
		"half-width punctuation":           {"短话，", "短话,", `half-width punctuation after Chinese text`},
		"emphasis that is not shown":       {"**每项**都", "**每项：**都", `"每项：" is not shown as emphasis`},
		"emphasis that does not begin":     {"列表有若干项。**每项**", "列表**（若干）** 项。每项", `"（若干）" is not shown as emphasis`},
		"emphasis without an end":          {"**每项**", "**每项", `is not shown as emphasis`},
	} {
		if !strings.Contains(chinesePage, c.old) {
			t.Fatalf("%s: the page has no %q", name, c.old)
		}
		faults := pageFaults(englishPage, c.old, c.changed)
		if len(faults) != 1 || !strings.Contains(faults[0], c.want) {
			t.Errorf("%s: %q\nwant one that has %q", name, faults, c.want)
		}
	}
	if faults := pageFaults(englishPage, "[English](page.md)", ""); len(faults) != 2 || faults[0] != "docs/page.zh-CN.md: no link to docs/page.md" {
		t.Errorf("no way back to English: %q, want that and the dropped link", faults)
	}
	if faults := pageFaults(strings.Replace(englishPage, "and nobody else", "别人不行", 1)); len(faults) != 1 || !strings.Contains(faults[0], "of the English page is Chinese") {
		t.Errorf("Chinese in the English page: %q", faults)
	}
}
