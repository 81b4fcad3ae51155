"""Makes an OCI image archive from another and a description, as JSON on standard input:

{"config": {"User": "app", …}, "layers": [[{"name": "a/b", "type": "file", "text": "…", "mode": 420, "uid": 0, "gid": 0}, …], …]}

Types: file, dir, link and hard (with "to"), fifo. Layers lie on those of the other image, and are compressed when one of
their files has "zeros": so many bytes of them.

usage: image.py BASE OUT
"""
import gzip, hashlib, io, json, sys, tarfile

base, out = sys.argv[1:]
wanted = json.load(sys.stdin)
archive = tarfile.open(base)
files = {name: archive.extractfile(name).read() for name in archive.getnames() if archive.getmember(name).isfile()}
blob = lambda digest: files["blobs/" + digest.replace(":", "/")]
index = json.loads(files["index.json"])
manifest = json.loads(blob(index["manifests"][0]["digest"]))
config = json.loads(blob(manifest["config"]["digest"]))
types = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE,
         "fifo": tarfile.FIFOTYPE}


def put(content, media_type):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    files["blobs/" + digest.replace(":", "/")] = content
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


for layer in wanted.get("layers", []):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for item in layer:
            entry = tarfile.TarInfo(item["name"])
            entry.type = types[item.get("type", "file")]
            entry.mode = item.get("mode", 0o755 if item.get("type") == "dir" else 0o644)
            entry.uid, entry.gid = item.get("uid", 0), item.get("gid", 0)
            entry.linkname = item.get("to", "")
            text = item.get("text", "").encode() + bytes(item.get("zeros", 0))
            entry.size = len(text) if entry.type == tarfile.REGTYPE else 0
            tar.addfile(entry, io.BytesIO(text))
    plain, media_type = data.getvalue(), "application/vnd.oci.image.layer.v1.tar"
    config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(plain).hexdigest())
    if any("zeros" in item for item in layer):
        manifest["layers"].append(put(gzip.compress(plain, 1), f"{media_type}+gzip"))
    else:
        manifest["layers"].append(put(plain, media_type))
config["config"].update(wanted.get("config", {}))
manifest["config"] = put(json.dumps(config).encode(), manifest["config"]["mediaType"])
entry = put(json.dumps(manifest).encode(), manifest["mediaType"])
entry["platform"] = index["manifests"][0]["platform"]
files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
    for name, content in sorted(files.items()):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        tar.addfile(info, io.BytesIO(content))
