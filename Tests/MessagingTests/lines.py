"""The other side of LineSink: stores lines, and says how many.

usage: lines.py SOCKET FILE

Prints a line when it listens.
"""
import os, socketserver, sys


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        lines = self.rfile.readlines()
        with open(sys.argv[2], "ab") as file:
            file.write(b"\n")  # a kill may have cut the line before
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        self.wfile.write(str(len(lines)).encode())


if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
server = socketserver.UnixStreamServer(sys.argv[1], Connection)
print("listening", flush=True)
server.serve_forever()
