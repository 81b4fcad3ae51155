import HTTP
import Resources
import Values

/// `/openapi/v2` and `/openapi/v3`. Documents are made when they are first asked for, and then kept.
extension Server {
    func openAPIIndex(_ call: Call) {
        kept("/openapi/v3") {
            let paths = Discovery.versions.map { version -> (String, Node?) in
                let path = String(version.path.dropFirst())
                let url = "/openapi/v3/\(path)?hash=\(openAPI(version).hash)"
                return (path, .map([("serverRelativeURL", .text(url))]))
            }
            return StaticAnswer(.map([("paths", .map(paths))]))
        }.send(call)
    }

    func openAPI(_ call: Call, _ version: Discovery.Version) { openAPI(version).send(call) }

    private func openAPI(_ version: Discovery.Version) -> StaticAnswer {
        kept(version.path) { StaticAnswer(document(.v3).node(version, program: settings.version)) }
    }

    private func document(_ dialect: Schemas.Dialect) -> OpenAPIDocument {
        OpenAPIDocument(dialect, drivers: loop.engine.settings.drivers)
    }

    private func kept(_ name: String, _ make: () -> StaticAnswer) -> StaticAnswer {
        if let known = openAPIAnswers[name] { return known }
        let made = make()
        openAPIAnswers[name] = made
        return made
    }

    /// Protobuf for those who ask for it, by either of its names; JSON for all others.
    func swagger(_ call: Call) {
        let wantsProtobuf = call.accepted.ranges.first.map { range in
            range.type.hasPrefix("application/com.github.") && range.type.hasSuffix("+protobuf")
        }
        let type = wantsProtobuf == true ? OpenAPIProtobuf.mediaType : "application/json"
        kept(type) {
            let document = document(.v2).node(program: settings.version)
            return type == OpenAPIProtobuf.mediaType
                ? StaticAnswer(OpenAPIProtobuf.bytes(document)) : StaticAnswer(document)
        }.send(call, type)
    }
}

extension Route {
    /// Everybody who is known may learn what there is.
    static let openAPI: [Route] =
        [
            .path("/openapi/v2", .authenticated) { $0.swagger($1) },
            .path("/openapi/v3", .authenticated) { $0.openAPIIndex($1) },
        ]
        + Discovery.versions.map { version in
            .path("/openapi/v3\(version.path)", .authenticated, [Query.hash]) { $0.openAPI($1, version) }
        }
}
