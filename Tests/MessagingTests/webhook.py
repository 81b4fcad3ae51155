"""A receiver of webhooks that believes nothing: it checks signature, time, type and shape of each request.

usage: webhook.py PORT DIRECTORY SECRET [CERTIFICATE KEY]

What it has accepted stands in DIRECTORY/received, one event on a line; what was asked, in DIRECTORY/requests. DIRECTORY/answers
is a JSON list of answers to give before any other, first come first served, each with status, headers, body and delay; one with
`about` is for requests that hold that text, and stays. PORT 0 is any; the one that is served is in DIRECTORY/port.
"""
import http.server, json, os, pathlib, re, ssl, sys, threading, time

DIRECTORY = pathlib.Path(sys.argv[2])
LOCK = threading.Lock()


# What Documentation/events.md tells others to do.
exec(re.search(r"```python\n(.*?)```", (pathlib.Path(__file__).parents[2] / "Documentation/events.md").read_text(), re.S)[1])


def events(kind, body):
    if kind == "application/cloudevents+json; charset=utf-8":
        return [json.loads(body)]
    if kind == "application/cloudevents-batch+json; charset=utf-8":
        return json.loads(body)
    raise ValueError(f"content type {kind}")


def check(event):
    missing = {"specversion", "id", "source", "type", "time", "partitionkey", "sequence", "data"} - event.keys()
    if missing or event["specversion"] != "1.0" or event["id"] != event["data"]["event_id"]:
        raise ValueError(f"no CloudEvent of ours: {missing}")


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers={}, body=""):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def prepared(self, body):
        path = DIRECTORY / "answers"
        answers = json.loads(path.read_text()) if path.exists() else []
        for answer in answers:
            if answer.get("about", "").encode() in body:
                if "about" not in answer:
                    answers.remove(answer)
                    replace(path, json.dumps(answers))
                return answer
        return None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with LOCK:
            prepared = self.prepared(body)
            good = is_genuine(self.headers, body, sys.argv[3])
            note = {"id": self.headers["webhook-id"], "signed": good, "bytes": len(body), "path": self.path,
                    "status": prepared["status"] if prepared else 204 if good else 401}
            with open(DIRECTORY / "requests", "a") as file:
                file.write(json.dumps(note) + "\n")
            if note["status"] < 300:
                found = events(self.headers["Content-Type"], body)
                for event in found:
                    check(event)
                with open(DIRECTORY / "received", "a") as file:
                    file.write("".join(json.dumps(event) + "\n" for event in found))
        if prepared:
            time.sleep(prepared.get("delay", 0))
            return self.answer(prepared["status"], prepared.get("headers", {}), prepared.get("body", ""))
        self.answer(note["status"])

    def log_message(self, *_):
        pass


def replace(path, text):
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64


server = Server(("127.0.0.1", int(sys.argv[1])), Receiver)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
replace(DIRECTORY / "port", str(server.server_address[1]))
server.serve_forever()
