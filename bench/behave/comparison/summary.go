package comparison

import (
	"fmt"
	"strings"

	"github.com/onceward/onceward/bench/behave"
)

// telling are the cases that a reader should see first.
var telling = []string{"retry", "concurrent", "hang-up", "outlives-lease", "two-servers", "panic", "other-body", "no-leak", "store-dies-in-handler"}

// Language is what the short table says, in one language.
type Language struct {
	what   string
	all    string
	groups map[behave.Group]string // nil: the group's own name
	cases  map[string]string       // of telling
	legend string
	run    string // has the versions and the date
	absent string // has the names
}

// English is the language of README.md.
func English() Language {
	return Language{
		what: "passed, of what applies",
		all:  "all",
		cases: map[string]string{
			"retry":                 "a retry gets the first reply",
			"concurrent":            "twenty copies at once take effect once",
			"hang-up":               "the client hangs up in mid-handler",
			"outlives-lease":        "the handler outlives its lease",
			"two-servers":           "two servers on one store",
			"panic":                 "a panic after the effect is not run again",
			"other-body":            "the same key with another body is refused",
			"no-leak":               "nobody gets another caller's reply",
			"store-dies-in-handler": "the store dies in mid-handler",
		},
		legend: "✓ right, ✗ wrong, – does not apply. Black box, over real sockets; each peer in its best configuration; what is a matter of taste does not count.",
		run:    "%s. Case by case, with configurations and reasons: [docs/comparison.md](docs/comparison.md). Against a server of your own: [bench/behave](bench/behave).",
		absent: "Not run, because the module proxy does not serve them: %s.",
	}
}

// Chinese is the language of README.zh-CN.md.
func Chinese() Language {
	return Language{
		what: "通过数 / 适用数",
		all:  "合计",
		groups: map[behave.Group]string{
			behave.SameReply: "响应相同", behave.OneEffect: "只生效一次", behave.BadEnds: "处理函数失败", behave.SameKey: "同一个键，不同的请求",
			behave.Isolation: "调用者隔离", behave.Keys: "键的写法", behave.Trouble: "上限与存储故障",
		},
		cases: map[string]string{
			"retry":                 "重试得到第一次的响应",
			"concurrent":            "二十份同时到达，只生效一次",
			"hang-up":               "处理到一半，客户端断开",
			"outlives-lease":        "处理时间超过租约（锁的过期时间）",
			"two-servers":           "两台服务器共用一个存储",
			"panic":                 "生效之后 panic，不再执行",
			"other-body":            "同一个键、不同的请求体：拒绝",
			"no-leak":               "别人的响应谁也拿不到",
			"store-dies-in-handler": "处理到一半，存储宕机",
		},
		legend: "✓ 正确，✗ 错误，– 不适用。黑盒测试，真实套接字；每个同类项目都用其最佳配置；见仁见智的行为不计分。",
		run:    "%s。逐项结果、配置与原因（英文）：[docs/comparison.md](docs/comparison.md)。测试你自己的服务：[bench/behave](bench/behave)。",
		absent: "模块代理不提供、因而未能测试：%s。",
	}
}

// Summary is the table of a README. date is when the results last changed.
func (l Language) Summary(columns []Column, absent []string, date string) string {
	var b strings.Builder
	b.WriteString("\n")
	names := []string{l.what}
	versions := make([]string, 0, len(columns)+1)
	for _, c := range columns {
		names = append(names, c.Name)
		if c.heading() != c.Name { // a peer's
			versions = append(versions, c.heading())
		}
	}
	head(&b, names...)
	line := func(first string, cell func(Column) string) {
		cells := []string{first}
		for _, c := range columns {
			cells = append(cells, cell(c))
		}
		row(&b, cells...)
	}
	score := func(g behave.Group) func(Column) string {
		return func(c Column) string {
			passed, of := c.score(g)
			return fmt.Sprintf("%d / %d", passed, of)
		}
	}
	for _, g := range behave.Groups() {
		name := l.groups[g]
		if name == "" {
			name = string(g)
		}
		line(name, score(g))
	}
	line("**"+l.all+"**", score(""))
	for _, name := range telling {
		line(l.cases[name], func(c Column) string { return sign(c.result(name).Outcome) })
	}
	fmt.Fprintf(&b, "\n%s\n%s\n%s\n", l.legend, fmt.Sprintf(l.run, strings.Join(append(versions, date), " · ")),
		fmt.Sprintf(l.absent, strings.Join(shortNames(absent), ", ")))
	return b.String()
}

// shortNames are module paths without their host.
func shortNames(modules []string) []string {
	short := make([]string, len(modules))
	for i, m := range modules {
		short[i] = strings.TrimPrefix(m, "github.com/")
	}
	return short
}
