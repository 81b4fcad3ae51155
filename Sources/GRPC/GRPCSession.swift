import CNGHTTP2

/// The nghttp2 side of a channel: callbacks and requests. `user data` is the channel.
enum GRPCSession {
    private static func channel(_ user: UnsafeMutableRawPointer?) -> GRPCChannel {
        Unmanaged<GRPCChannel>.fromOpaque(user!).takeUnretainedValue()
    }

    /// A client session that has said hello; its windows take 4 MiB each, so that answers are not held up.
    static func open(_ user: UnsafeMutableRawPointer) -> OpaquePointer? {
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        defer { nghttp2_session_callbacks_del(callbacks) }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameLength, value, valueLength, _, user in
            GRPCSession.channel(user).header(
                frame!.pointee.hd.stream_id, GRPCSession.text(name, nameLength), GRPCSession.text(value, valueLength))
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, data, length, user in
            GRPCSession.channel(user).data(stream, UnsafeBufferPointer(start: data, count: length))
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, user in
            GRPCSession.channel(user).closed(stream, code)
            return 0
        }
        var session: OpaquePointer?
        nghttp2_session_client_new(&session, callbacks, user)
        let window: Int32 = 4 << 20
        var settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: UInt32(window)),
            nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0),
        ]
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), &settings, settings.count)
        nghttp2_session_set_local_window_size(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, window)
        return session
    }

    private static func text(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> String {
        String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    /// Opens a stream; the channel gives its body. Returns its id, or a negative error.
    static func request(_ session: OpaquePointer?, _ headers: [(String, String)]) -> Int32 {
        var bytes: [UInt8] = []
        for (name, value) in headers {
            bytes += Array(name.utf8)
            bytes += Array(value.utf8)
        }
        var provider = nghttp2_data_provider(source: nghttp2_data_source()) { _, stream, room, length, flags, _, user in
            let channel = GRPCSession.channel(user)
            let (count, isLast) = channel.body(stream, UnsafeMutableBufferPointer(start: room, count: length))
            if isLast { flags!.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue) }
            return count
        }
        return bytes.withUnsafeMutableBufferPointer { buffer in
            var at = buffer.baseAddress!
            let fields = headers.map { name, value in
                let field = nghttp2_nv(
                    name: at, value: at + name.utf8.count, namelen: name.utf8.count, valuelen: value.utf8.count,
                    flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
                at += name.utf8.count + value.utf8.count
                return field
            }
            return nghttp2_submit_request(session, nil, fields, fields.count, &provider, nil)
        }
    }
}
