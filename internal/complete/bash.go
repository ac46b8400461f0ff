package complete

import (
	"fmt"
	"strings"
)

// needed is the function of the package bash-completion that cobra's script
// calls.
const needed = "_get_comp_words_by_ref"

// Bash makes cobra's script for bash independent of the package
// bash-completion, which most machines do not load: it brings its own function
// that joins the words that bash has split at = and : again.
func Bash(script, program string) (string, error) {
	name := "__" + program + "_words"
	if strings.Count(script, needed) != 1 {
		return "", fmt.Errorf("the completion script calls %s %d times, not once", needed, strings.Count(script, needed))
	}
	return strings.Replace(script, needed, name, 1) + strings.ReplaceAll(words, "NAME", name), nil
}

// words sets cur, prev, words and cword of its caller. Bash 3, which macOS has,
// is enough for it.
const words = `
# The words of the line up to the cursor: what bash splits at = and : is one
# word. COMP_WORDS and COMP_LINE differ in nothing else.
NAME()
{
    local rest=$COMP_LINE word last=-1 i after
    words=()
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word=${COMP_WORDS[i]}
        if ((last < 0)) || [[ $rest == [[:space:]]* ]]; then
            if [[ -n $word ]]; then # an empty word may be between two blanks
                rest=${rest#"${rest%%[![:space:]]*}"}
            fi
            last=$((last + 1))
            words[last]=$word
        else
            words[last]=${words[last]}$word
        fi
        rest=${rest#"$word"}
        if ((i == COMP_CWORD)); then
            cword=$last
        fi
    done
    cur=${words[cword]}
    prev=
    if ((cword > 0)); then
        prev=${words[cword-1]}
    fi
    after=${COMP_LINE:COMP_POINT}
    after=${after%%[[:space:]]*}
    cur=${cur%"$after"}
}
`
