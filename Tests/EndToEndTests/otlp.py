"""A receiver of OTLP over HTTP in JSON, strict: what is no request of opentelemetry-proto is answered with 400.

usage: otlp.py DIRECTORY

Each span stands in DIRECTORY/spans, as JSON on a line. DIRECTORY/answers is a JSON list of codes to answer with before any
other. The port that is served is in DIRECTORY/port.
"""
import base64, http.server, json, os, pathlib, sys, threading

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DIRECTORY = pathlib.Path(sys.argv[1])
LOCK = threading.Lock()


def decoded(body):
    """OTLP writes ids in hex, where protobuf's own JSON has base64: only these are rewritten."""
    document = json.loads(body)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json_format.ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=False)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"{}"):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with LOCK:
            path = DIRECTORY / "answers"
            answers = json.loads(path.read_text()) if path.exists() else []
            if answers:
                path.write_text(json.dumps(answers[1:]))
                with open(DIRECTORY / "refused", "a") as file:
                    file.write(f"{answers[0]}\n")
                return self.answer(answers[0])
            if self.path != "/v1/traces" or self.headers.get("x-token") != "of-the-test":
                return self.answer(403)
            try:
                request = decoded(body)
            except Exception as problem:
                (DIRECTORY / "problem").write_text(repr(problem))
                return self.answer(400)
            with open(DIRECTORY / "spans", "a") as file:
                for resource in request.resource_spans:
                    service = {a.key: a.value.string_value for a in resource.resource.attributes}
                    for span in (span for scope in resource.scope_spans for span in scope.spans):
                        assert len(span.trace_id) == 16 and len(span.span_id) == 8, "ids"
                        assert span.end_time_unix_nano >= span.start_time_unix_nano > 0, "times"
                        file.write(json.dumps({
                            "trace": span.trace_id.hex(), "id": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                            "name": span.name, "kind": span.kind, "start": str(span.start_time_unix_nano),
                            "end": str(span.end_time_unix_nano), "code": span.status.code,
                            "message": span.status.message, "service": service["service.name"],
                            "attributes": {a.key: a.value.string_value for a in span.attributes},
                            "events": [event.name for event in span.events]}) + "\n")
        self.answer(200)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
(DIRECTORY / "port.new").write_text(str(server.server_address[1]))
os.replace(DIRECTORY / "port.new", DIRECTORY / "port")
server.serve_forever()
