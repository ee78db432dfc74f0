"""Sends a transfer for each line of stdin to a URL and prints what became of it, a JSON object a line.

    printf '{"amount": 5}\\n' | python3 transfers.py http://127.0.0.1:9000/transfers

What is unknown is put away and sent again, --rounds times. With --new-keys each try has a key of its own, as in clients that mint the key
inside of their retry loop: see what that does to the books.
"""
import argparse, concurrent.futures, json, sys

import client


def settle(url, line, rounds, policy, new_keys):
    """Sends until the fate is known, or rounds are over. Each round but the first begins from the saved operation, as after a crash."""
    op, unknown = client.Operation("POST", url, line), 0
    for left in range(rounds, 0, -1):
        fate, reply = client.send(op, {"X-Transfer": line}, policy)  # a header for logs and faults; nobody deduplicates by it
        if fate != client.UNKNOWN or left == 1:
            break
        unknown += 1
        op = client.Operation("POST", url, line) if new_keys else client.Operation.load(op.save())
    return {"transfer": line, "fate": fate, "unknown": unknown, "key": op.key,
            "status": reply.status if reply else 0, "reply": reply.body.decode(errors="replace") if reply else ""}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--rounds", type=int, default=3, help="how often an operation is sent that stays unknown")
    parser.add_argument("--workers", type=int, default=8, help="transfers at the same time")
    parser.add_argument("--timeout", type=float, default=client.Policy().timeout, help="seconds for one attempt")
    parser.add_argument("--pause", type=float, default=1, help="factor for all waits")
    parser.add_argument("--new-keys", action="store_true", help="a new key for each try: the mistake")
    a = parser.parse_args()
    p = client.Policy()
    policy = p._replace(attempts=1 if a.new_keys else p.attempts, timeout=a.timeout,
                        transient=p.transient * a.pause, overload=p.overload * a.pause, poll=p.poll * a.pause)
    with concurrent.futures.ThreadPoolExecutor(a.workers) as pool:
        for told in pool.map(lambda line: settle(a.url, line.strip(), a.rounds, policy, a.new_keys), sys.stdin):
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
