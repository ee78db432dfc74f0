"""A client of onceward's protocol on Python's standard library (3.9 or newer), written from docs/protocol.md.

    op = Operation("POST", "https://bank.example/transfers", '{"amount": 5}')
    fate, reply = send(op, {"Authorization": "Bearer …"})
    if fate == UNKNOWN: ...              # put op.save() away, and send Operation.load(text) some time later

One thread sends an operation at a time. Left out: the retry budget, and trailers, which http.client does not show.
"""
import collections, contextlib, dataclasses, email.utils, http.client, json, math, random, secrets, socket, threading, time, urllib.parse

EXECUTED, NOT_EXECUTED, UNKNOWN, NOT_THIS_ONE, ANSWERED = "executed", "not executed", "unknown", "not this one", "answered"
ENDS = {name: (then, proof) for then, proof, names in (  # the table in docs/protocol.md; "#" stands before the names of problems
    ("final", EXECUTED, "saved replayed success #reply-not-kept"),
    ("final", ANSWERED, "refusal failure"),  # the operation's answer, if there was no doubtful attempt
    ("final", NOT_THIS_ONE, "freed unauthorized #key-missing #key-invalid #key-from-the-future #horizon-too-long #scope-missing #body-too-large #key-expired"),
    ("final", UNKNOWN, "redirect odd-status reply-too-large-open problem-unknown #key-reused #outcome-unknown #not-executed #internal"),
    ("poll", UNKNOWN, "#in-progress"),
    ("transient", NOT_THIS_ONE, "freed-transient too-early not-sent #body-unreadable"),
    ("transient", UNKNOWN, "doubted gateway cut-off reply-cut attempt-timeout"),
    ("overload", NOT_THIS_ONE, "freed-overload too-many #store-unavailable"),
    ("overload", UNKNOWN, "doubted-overload unavailable #reply-not-saved")) for name in names.split()}
BELIEVED = "#not-executed", "#key-expired", "problem-unknown"  # with safe_new_key: true they prove NOT_EXECUTED
STATUSES = {401: "unauthorized", 407: "unauthorized", 408: "gateway", 425: "too-early", 429: "too-many", 502: "gateway", 503: "unavailable", 504: "gateway"}
CLASSES = {2: "success", 3: "redirect", 4: "refusal", 5: "failure"}
PROBLEMS = "https://github.com/onceward/onceward/blob/main/docs/problems.md"
Policy = collections.namedtuple("Policy", "attempts timeout transient overload cap longest poll", defaults=(4, 5, 0.05, 1, 10, 30, 0.5))  # seconds
Reply = collections.namedtuple("Reply", "status headers body")
MAX_REPLY = 8 << 20  # bytes

def mint():
    """A stamped key: a UUIDv7 in base32, made once for each operation."""
    n = int(time.time() * 1000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return "once_" + "".join("0123456789abcdefghjkmnpqrstvwxyz"[n >> 5 * i & 31] for i in range(25, -1, -1))

@dataclasses.dataclass
class Operation:
    """One request that is to take effect once: frozen, and the same in every send."""
    method: str
    url: str
    body: str
    media: str = "application/json"
    key: str = dataclasses.field(default_factory=mint)
    minted: float = dataclasses.field(default_factory=time.time)
    window: float = 24 * 3600  # seconds; the shortest that a server has told
    doubt: bool = False        # some send of it may have taken effect
    def __post_init__(self): self._wall, self._mono = time.time(), time.monotonic()
    def age(self): return max(0, self._wall - self.minted) + max(time.time() - self._wall, time.monotonic() - self._mono)
    def save(self): return json.dumps(dataclasses.asdict(self))
    @classmethod
    def load(cls, text): return cls(**{**json.loads(text), "doubt": True})  # who knows what was sent since

def end_of(reply):
    """Says how an attempt ended that has a whole reply, and whether a new key is safe."""
    mark, busy = reply.headers.get("Onceward-Outcome"), "-overload" if reply.status in (429, 503) else ""
    replayed = reply.headers.get("Idempotent-Replayed", "").lower() == "true"
    if mark == "saved": return ("replayed" if replayed else "saved"), False
    if mark == "freed": return "freed" + (busy or ("-transient" if reply.status in (408, 425) or reply.status >= 500 else "")), False
    if mark == "doubted": return "doubted" + busy, False
    if reply.headers.get_content_type() == "application/problem+json":
        try: problem = json.loads(reply.body)
        except ValueError: problem = {"type": PROBLEMS + "#unreadable"} if reply.status not in STATUSES and 400 <= reply.status < 600 else {}
        if isinstance(problem, dict) and str(problem.get("type")).startswith(PROBLEMS + "#"):
            name = problem["type"][len(PROBLEMS):]
            return (name if name in ENDS else "problem-unknown"), problem.get("safe_new_key") is True
    return ("replayed" if replayed else STATUSES.get(reply.status) or CLASSES.get(reply.status // 100, "odd-status")), False

class WholeLines:
    """A reply's bytes. http.client takes a header that breaks off for a whole one, and would not see that a mark is missing."""
    def __init__(self, file): self.file = file
    def __getattr__(self, name): return getattr(self.file, name)
    def readline(self, limit):
        line = self.file.readline(limit)
        if not line.endswith(b"\n"): raise http.client.IncompleteRead(line)
        return line

class WholeResponse(http.client.HTTPResponse):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fp = WholeLines(self.fp)

def attempt(op, limit, until, headers):
    """Sends once and reads the whole reply: (end, safe_new_key, reply or None)."""
    deadline, url = time.monotonic() + limit, urllib.parse.urlsplit(op.url)
    conn = (http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection)(url.netloc, timeout=limit)
    conn.response_class = WholeResponse
    try: conn.connect()
    except OSError: return "not-sent", False, None
    def hang_up(sock=conn.sock):  # a socket's own timeout is for one read, not for all of them
        with contextlib.suppress(OSError): sock.shutdown(socket.SHUT_RDWR)
    timer, got = threading.Timer(deadline - time.monotonic(), hang_up), None
    timer.start()
    try:
        own = {"Idempotency-Key": op.key, "Onceward-Horizon": str(math.ceil(until)), "Content-Type": op.media}
        conn.request(op.method, (url.path or "/") + ("?" + url.query if url.query else ""), op.body.encode(), {**headers, **own})
        got = conn.getresponse()
        body = got.read(MAX_REPLY + 1)
        if len(body) > MAX_REPLY: return "reply-too-large-open", False, None
        if not got.length and time.monotonic() < deadline:  # length is what is missing
            reply = Reply(got.status, got.headers, body)
            return (*end_of(reply), reply)
    except (OSError, ValueError, http.client.HTTPException): pass
    finally: timer.cancel(); conn.close()
    return ("attempt-timeout" if time.monotonic() >= deadline else "reply-cut" if got else "cut-off"), False, None

def retry_after(headers):
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal(): return int(value)
    try: at, now = (email.utils.parsedate_to_datetime(text) for text in (value, headers.get("Date")))
    except (TypeError, ValueError): return 0
    return max(0, (at - now).total_seconds())

def send(op, headers={}, policy=Policy()):
    """Sends op until its fate is known or the policy ends it: (fate, last whole reply or None). Headers, such as credentials, may be others next time."""
    waits = (policy.longest + min(policy.cap, max(policy.transient, policy.overload) * 2**n) for n in range(policy.attempts - 1))
    until = min(op.age() + policy.attempts * policy.timeout + sum(waits), op.window)  # the key's age at the policy's horizon
    proof, last, retries = NOT_THIS_ONE, None, 0
    while (left := min(until, op.window) - op.age()) > 0:
        end, safe_new_key, reply = attempt(op, min(policy.timeout, left), until, headers)
        then, proof = ENDS[end]
        pause, told, last = (retry_after(reply.headers), reply.headers.get("Onceward-Window", ""), reply) if reply else (0, "", last)
        if told.isdecimal(): op.window = min(op.window, int(told))
        if safe_new_key and end in BELIEVED: return NOT_EXECUTED, last
        op.doubt |= proof == UNKNOWN
        retries += then in ("transient", "overload")
        if then == "final" or retries == policy.attempts or pause > policy.longest: break
        spread = policy.poll * random.uniform(0.5, 1.5) if then == "poll" else random.uniform(0, min(policy.cap, getattr(policy, then) * 2 ** (retries - 1)))
        if op.age() + pause + spread >= min(until, op.window): break
        time.sleep(pause + spread)
    if proof == EXECUTED: return EXECUTED, last
    if op.doubt: return UNKNOWN, last
    return (EXECUTED if proof == ANSWERED else NOT_EXECUTED), last
