"""A small bank that knows nothing of idempotency: each POST /transfers it gets is a transfer. GET /transfers lists them.

    python3 service.py 8080
"""
import http.server, json, sys, threading

ledger, lock = [], threading.Lock()


class Bank(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        transfer = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        with lock:
            ledger.append(transfer)
            number = len(ledger)
        self.answer(201, {"number": number, "by": self.headers.get("X-Authenticated-User")})

    def do_GET(self):
        with lock:
            self.answer(200, ledger)

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))  # so that the proxy can tell a whole reply from a cut one
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Bank)
    print(server.server_port, flush=True)
    server.serve_forever()
