"""A gRPC server that behaves as its method's name says: grpc-server.py SOCKET"""
import os, socket, struct, sys, threading, time
import h2.config, h2.connection, h2.events, h2.exceptions

path = sys.argv[1]


def framed(message):
    return struct.pack(">BI", 0, len(message)) + message


class Connection:
    def __init__(self, sock):
        self.sock, self.lock = sock, threading.Lock()
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.methods, self.bodies, self.windows = {}, {}, threading.Condition(self.lock)

    def flush(self):
        data = self.conn.data_to_send()
        if data:
            self.sock.sendall(data)

    def send_body(self, stream, data):
        """Sends within the client's windows."""
        while data:
            room = min(self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size, len(data))
            if room <= 0:
                self.windows.wait(5)
                continue
            self.conn.send_data(stream, data[:room])
            self.flush()
            data = data[room:]

    def answer(self, stream, body=b"", status="0", message=None, http="200"):
        with self.lock:
            try:
                self.conn.send_headers(stream, [(":status", http), ("content-type", "application/grpc")])
                self.flush()
                self.send_body(stream, body)
                trailers = [("grpc-status", status)] if status is not None else [("x-other", "1")]
                if message:
                    trailers.append(("grpc-message", message))
                self.conn.send_headers(stream, trailers, end_stream=True)
                self.flush()
            except (h2.exceptions.ProtocolError, OSError):
                pass

    def complete(self, stream):
        method, body = self.methods[stream], self.bodies.pop(stream)
        if method == "/echo":
            self.answer(stream, body)
        elif method == "/slow":
            threading.Timer(float(body[5:].decode()), lambda: self.answer(stream, body)).start()
        elif method == "/status":
            self.answer(stream, status="5", message="no such thing%3A %C3%BC")
        elif method == "/trailersOnly":
            with self.lock:
                self.conn.send_headers(
                    stream, [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "6"),
                             ("grpc-message", "there already")], end_stream=True)
                self.flush()
        elif method == "/reset":
            with self.lock:
                self.conn.send_headers(stream, [(":status", "200")])
                self.conn.reset_stream(stream, error_code=2)
                self.flush()
        elif method == "/resetAfterTrailers":
            self.answer(stream, body)
            with self.lock:
                try:
                    self.conn.reset_stream(stream, error_code=0)
                    self.flush()
                except h2.exceptions.ProtocolError:
                    pass
        elif method == "/huge":
            self.answer(stream, struct.pack(">BI", 0, 1 << 30) + b"x" * 1000)
        elif method == "/large":
            threading.Thread(target=self.answer, args=(stream, framed(b"y" * (9 << 20)))).start()
        elif method == "/many":
            threading.Thread(target=self.answer, args=(stream, framed(b"z" * 1000) * 2000)).start()
        elif method == "/cutOff":
            self.answer(stream, struct.pack(">BI", 0, 100) + b"x")
        elif method == "/compressed":
            self.answer(stream, struct.pack(">BI", 1, 1) + b"x")
        elif method == "/noStatus":
            self.answer(stream, body, status=None)
        elif method == "/http503":
            self.answer(stream, status=None, http="503")
        elif method == "/goAway":
            with self.lock:
                self.conn.close_connection()
                self.flush()
            self.sock.close()
        elif method == "/silence":
            pass
        elif method == "/garbage":
            self.sock.sendall(b"this is no HTTP/2 at all" * 100)
        else:
            self.answer(stream, status="12", message="unknown")

    def run(self):
        self.conn.initiate_connection()
        self.flush()
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            done = []
            with self.lock:
                try:
                    events = self.conn.receive_data(data)
                except h2.exceptions.ProtocolError:
                    return
                for event in events:
                    if isinstance(event, h2.events.RequestReceived):
                        self.methods[event.stream_id] = dict(event.headers)[":path"]
                        self.bodies[event.stream_id] = b""
                    elif isinstance(event, h2.events.DataReceived):
                        self.bodies[event.stream_id] += event.data
                        self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        done.append(event.stream_id)
                    elif isinstance(event, h2.events.WindowUpdated):
                        self.windows.notify_all()
                try:
                    self.flush()
                except OSError:
                    return
            for stream in done:
                self.complete(stream)


listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(16)
print("ready", flush=True)
while True:
    client, _ = listener.accept()
    threading.Thread(target=Connection(client).run, daemon=True).start()
