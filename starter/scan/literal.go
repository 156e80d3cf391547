package scan

import "strings"

// arguments splits what stands after a call's opening parenthesis at its commas, up to
// the closing one. It is false if that isn't there.
func arguments(text string) (args []string, closed bool) {
	depth, from := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			end := endOfText(text, i)
			if end < 0 {
				return nil, false
			}
			i = end
		case '#': // a comment, in Python and R
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				return nil, false
			}
			text = text[:i] + strings.Repeat(" ", n) + text[i+n:]
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth == 0 {
				return append(args, strings.TrimSpace(text[from:i])), true
			}
			depth--
		case ',':
			if depth == 0 {
				args = append(args, strings.TrimSpace(text[from:i]))
				from = i + 1
			}
		}
	}
	return nil, false
}

// endOfText is where the quoted text ends that begins at i; -1 if it doesn't. Texts in
// three quotes count as well.
func endOfText(text string, i int) int {
	quote := text[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text[i:], triple) {
		n := strings.Index(text[i+3:], triple)
		if n < 0 {
			return -1
		}
		return i + 3 + n + 2
	}
	for j := i + 1; j < len(text); j++ {
		switch text[j] {
		case '\\':
			j++
		case '\n':
			return -1
		case quote[0]:
			return j
		}
	}
	return -1
}

var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\'`, `'`, `\n`, " ", `\t`, " ")

// literal is the value of an expression that is quoted text and nothing else, or several
// that follow each other, as Python joins them.
func literal(expression string) (string, bool) {
	rest := strings.TrimSpace(expression)
	if rest == "" {
		return "", false
	}
	value := ""
	for rest != "" {
		if rest[0] != '"' && rest[0] != '\'' {
			return "", false
		}
		end := endOfText(rest, 0)
		if end < 0 {
			return "", false
		}
		part := rest[1:end]
		if strings.HasPrefix(rest, rest[:1]+rest[:1]+rest[:1]) && end >= 5 {
			part = rest[3 : end-2]
		}
		value += unescape.Replace(part)
		rest = strings.TrimSpace(rest[end+1:])
	}
	return strings.Join(strings.Fields(value), " "), true
}

// texts are the quoted texts of a list such as ["a", "b"]; none if it holds anything else.
func texts(list string) []string {
	list = strings.TrimSpace(list)
	if len(list) < 2 || !strings.ContainsRune("[(", rune(list[0])) {
		return nil
	}
	args, ok := arguments(list[1:])
	if !ok {
		return nil
	}
	var all []string
	for _, arg := range args {
		text, is := literal(arg)
		if !is && arg != "" {
			return nil
		}
		if is {
			all = append(all, text)
		}
	}
	return all
}
