extension ContainerdClient.Mount {
    /// Directories of the layers, the uppermost first: of an overlay, or of one layer that is mounted as it is.
    var layers: [String] {
        guard type == "overlay" else { return [source] }
        func option(_ name: String) -> Substring? {
            options.first { $0.hasPrefix("\(name)=") }?.dropFirst(name.utf8.count + 1)
        }
        return [option("upperdir").map(String.init)].compactMap(\.self)
            + (option("lowerdir") ?? "").split(separator: ":").map(String.init)
    }
}
