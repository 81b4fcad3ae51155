/// The shells that complete: what each is told, and how it reads candidates.
package enum Shell: String, CaseIterable, Sendable {
    case bash, zsh, fish

    /// Stands alone where names of files are wanted.
    package static let files = ":files"

    package func line(_ candidate: Completer.Candidate) -> String {
        switch self {
        case .bash: candidate.word
        case .zsh:
            candidate.word.replacing(":", with: "\\:") + (candidate.text.isEmpty ? "" : ":\(candidate.text)")
        case .fish: candidate.word + (candidate.text.isEmpty ? "" : "\t\(candidate.text)")
        }
    }

    package var script: String {
        switch self {
        case .bash:
            #"""
            # Completion of agentos-apply for bash: source <(agentos-apply completion bash)
            _agentos_apply() {
                local line words
                # bash takes "=" for a word of its own.
                words=("${COMP_WORDS[@]:1:COMP_CWORD}")
                COMPREPLY=()
                while IFS= read -r line; do
                    if [ "$line" = ":files" ]; then
                        compopt -o filenames 2>/dev/null
                        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
                        return
                    fi
                    COMPREPLY+=("$line")
                done < <("${COMP_WORDS[0]}" __complete bash "${words[@]}" 2>/dev/null)
            }
            complete -F _agentos_apply agentos-apply

            """#
        case .zsh:
            #"""
            #compdef agentos-apply
            # Completion of agentos-apply for zsh: source <(agentos-apply completion zsh), or a file _agentos-apply in $fpath
            _agentos_apply() {
                local -a found
                found=("${(@f)$("${words[1]}" __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
                if [[ "${found[1]}" == ":files" ]]; then
                    _files
                elif [[ -n "${found[1]}" ]]; then
                    _describe 'agentos-apply' found
                fi
            }
            if [[ "$funcstack[1]" == "_agentos-apply" ]]; then _agentos_apply "$@"; else compdef _agentos_apply agentos-apply; fi

            """#
        case .fish:
            #"""
            # Completion of agentos-apply for fish: agentos-apply completion fish | source
            function __agentos_apply_complete
                set -l before (commandline -opc)
                set -l current (commandline -ct)
                set -l found (command $before[1] __complete fish $before[2..-1] "$current" 2>/dev/null)
                if test "$found[1]" = ":files"
                    __fish_complete_path "$current"
                else
                    printf '%s\n' $found
                end
            end
            complete -c agentos-apply -f -a '(__agentos_apply_complete)'

            """#
        }
    }

    /// Words as the shell's own user would write them: bash cuts `--output=json` into three.
    package func joined(_ words: [String]) -> (words: [String], cut: Int) {
        guard self == .bash else { return (words, 0) }
        var joined: [String] = []
        var cut = 0
        for (index, word) in words.enumerated() {
            let last = joined.last ?? ""
            if word == "=", last.hasPrefix("--") {
                joined[joined.count - 1] += "="
                cut = last.count + 1
            } else if last.hasPrefix("--"), last.hasSuffix("="), words[index - 1] == "=" {
                joined[joined.count - 1] += word
            } else {
                joined.append(word)
                cut = 0
            }
        }
        return (joined, cut)
    }
}
