import Manifests
import Values

/// The page about the settings and the example file, made of the table of settings.
package enum SettingsPage {
    /// Documentation/configuration.md.
    package static var page: String {
        var out = """
            # Settings of the daemon

            One YAML file, `/etc/agentos/daemon.yaml` for root and `~/.config/agentos/daemon.yaml` for others, or the file that
            `--config` names. It is read as strictly as a manifest: what is wrong is told with file, line and column, and an unknown
            field with the one that was probably meant. Variables of the environment win over the file, options over both.

                agentos-apply daemon --check-config          # is it valid? exit code 0 or 3
                agentos-apply daemon --print-config          # what file, environment and options come to, and where from
                agentos-apply daemon reload                  # reads it again, and says what holds now and what waits

            A running daemon reads it again on SIGHUP, too. A file that cannot be used changes nothing. What a running daemon cannot
            take is named in the answer and in its log, and holds from its next start on; agents run on through a restart.

            This page is made of the program's own table of settings, as is [daemon.yaml](../Deploy/daemon.yaml).

            | field | option, and variable | meaning | on reload |
            |---|---|---|---|

            """
        for setting in Settings.table {
            let text = setting.option.text.replacing("|", with: "\\|")
            let option = "`--\(setting.name) \(setting.option.value ?? "")` `\(setting.variable)`"
            out +=
                "| `\(setting.field.name)` | \(option) | \(text) | \(setting.reloads ? "yes" : "at the next start") |\n"
        }
        return out + sinks
    }

    private static var sinks: String {
        var out = """

            ## Sinks

            `sinks` is a list, in the file alone: \(SinkSetting.field.text). All of it is taken on reload. A sink that is taken out
            keeps its place in the journal, and goes on there when it is put in again; `outbox forget --sink NAME` ends that. No
            secret stands here: files of mode 0600 hold them, and are named by their paths.

            | field | meaning | without it |
            |---|---|---|

            """
        for field in SinkSetting.fields {
            if case .object(let inner) = field.shape {
                out += "| `\(field.name)` | \(field.text) | |\n" + inner.map { row($0, "\(field.name).") }.joined()
            } else {
                out += row(field, "")
            }
        }
        return out
    }

    private static func row(_ field: Field, _ prefix: String) -> String {
        let fallback = field.fallback(among: .none).map { "`\(JSONWriter.text($0))`" } ?? ""
        let without = field.required ? "required" : fallback
        return "| `\(prefix)\(field.name)` | \(field.text.replacing("|", with: "\\|")) | \(without) |\n"
    }

    /// A settings file in which each setting is described, and none is set.
    package static var example: String {
        var out = """
            # Settings of the agentos-apply daemon: what is commented out is what holds without it.
            # 'agentos-apply daemon --check-config' checks this file, 'systemctl reload agentos' reads it again.

            """
        for setting in Settings.table {
            let name = setting.field.name
            let value = setting.option.value ?? ""
            let shown = setting.fallback.map { YAMLWriter.text(.map([(name, $0)])) }
            let isList = if case .list = setting.field.shape { true } else { false }
            out += "\n# \(setting.option.text.replacing("; may be repeated", with: "")).\n"
            out += "#\(shown ?? "\(name): \(isList ? "[\(value)]" : value)\n")"
        }
        let sink = "{name: audit, required: true, types: [run.*, agent.*], file: {path: /var/log/agentos/events.jsonl}}"
        out += "\n# \(SinkSetting.field.text).\n#\(SinkSetting.field.name): [\(sink)]\n"
        return out
    }
}
