"""An auditor: a member in plain Python, standard library only. It speaks sdk/protocol/PROTOCOL.md on stdio, one
JSON-RPC document a line, and answers each item with what MEASURES.md defines. Its twin is auditor.mjs."""
import json
import os
import re
import stat
import sys
import zlib

LIMIT = 1_048_576
WINDOW = 10
LONGEST_LINE = 500
BLANK = b" \t\v\f\r"

# --- bytes ---------------------------------------------------------------------------------------------------------


def unescape(text):
    """Escaped bytes to bytes."""
    return re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode("latin-1", "replace"))


def escape(raw):
    """Bytes to escaped bytes."""
    return "".join(chr(b) if 0x20 <= b <= 0x7E and b not in b'%"\\' else "%%%02X" % b for b in raw)


# --- reading -------------------------------------------------------------------------------------------------------


def read(file):
    """The bytes of a regular file; None if it is something else by now."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as opened:
        return opened.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def look(file):
    """The file's kind, its size, and its bytes where they count."""
    try:
        found = os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return "missing", 0, b""
    except (OSError, ValueError):
        return "unreadable", 0, b""
    if stat.S_ISLNK(found.st_mode):
        return "link", 0, b""
    if not stat.S_ISREG(found.st_mode):
        return "not_a_file", 0, b""
    if found.st_size > LIMIT:
        return "large", found.st_size, b""
    try:
        content = read(file)
    except OSError:
        return "unreadable", 0, b""
    if content is None:
        return "not_a_file", 0, b""
    return ("binary" if 0 in content else "text"), len(content), content


# --- measures ------------------------------------------------------------------------------------------------------

LANGUAGES = {
    **dict.fromkeys(b"js mjs cjs jsx ts mts cts tsx".split(), "js"),
    **dict.fromkeys(b"py pyi".split(), "py"),
    **dict.fromkeys(b"c h cc cpp cxx hh hpp hxx cs java go rs kt swift php scala dart".split(), "c"),
}


def language_of(path):
    name = path.rsplit(b"/", 1)[-1]
    return LANGUAGES.get(name.rsplit(b".", 1)[1].lower()) if b"." in name else None


I = rb"[A-Za-z_$\x80-\xff][A-Za-z0-9_$\x80-\xff]*"
M = rb"(?:(?:public|private|protected|static|override|abstract|readonly|async|get|set) +)*"
JS1 = re.compile(rb"(?:export +)?(?:default +)?(?:async +)?function(?: +| *\* *)(" + I + rb") *[(<]")
JS2 = re.compile(rb"(?:export +)?(?:const|let|var) +(" + I + rb")[ :=]")
JS3 = re.compile(M + rb"\*? *(#?" + I + rb") *(?:<[^<>]*>)? *\(")
JS4 = re.compile(M + rb"(#?" + I + rb") *[:=]")
PY = re.compile(rb"(?:async +)?def +(" + I + rb") *[\[(]")
C1 = re.compile(rb"(?:[a-z]+(?:\([a-z]*\))? +)*(?:fn|func|fun|function) +(?:\([^()]*\) *)?(" + I + rb")")
C2 = re.compile(rb"([A-Za-z_@][A-Za-z0-9_:<>,*&\[\]~. \t]*[ \t*&>\]])([A-Za-z_~][A-Za-z0-9_~:]*) *\(")
WORD = re.compile(rb"[A-Za-z0-9_]+")
CONTROL = set(
    b"if for while switch catch return else do with new typeof await function throw case default goto delete using yield "
    b"class struct enum interface record object trait impl namespace import package".split()
)


def balanced(line):
    return line.count(b"(") == line.count(b")")


def has_function(line):
    return b"=>" in line or b"function" in line


def function_at(language, lines, index):
    """Name of the function that starts at a trimmed line, or None."""
    line = lines[index]
    if len(line) > LONGEST_LINE:
        return None
    if language == "py":
        found = PY.match(line)
        return found and found[1]
    if language == "js":
        if found := JS1.match(line):
            return found[1]
        found = JS2.match(line)
        if found and (has_function(line) or line.endswith((b"= (", b"= async ("))):
            return found[1]
        if not line.endswith(b"{"):
            return None
        found = JS3.match(line)
        if found and balanced(line) and found[1] not in CONTROL:
            return found[1]
        found = JS4.match(line)
        return found[1] if found and has_function(line) and found[1] not in CONTROL else None
    if found := C1.match(line):
        return found[1]
    found = C2.match(line)
    if not found or not balanced(line):
        return None
    if not line.endswith(b"{"):
        if line.endswith((b";", b",")):
            return None
        following = index + 1
        while following < len(lines) and not lines[following]:
            following += 1
        if following == len(lines) or lines[following] != b"{":
            return None
    if any(word in CONTROL for word in WORD.findall(found[1]) + WORD.findall(found[2])):
        return None
    return found[2]


def length_at(language, lines, indents, index):
    """Number of lines of the function that starts at index."""
    last = index
    for at in range(index + 1, len(lines)):
        line = lines[at]
        if not line:
            continue
        if indents[at] > indents[index]:
            last = at
            continue
        first = line[:1]
        if first == b"#" and language != "js":
            continue
        if first not in (b")", b"]", b"{", b"}"):
            break
        last = at
        if first == b"}" and language != "py":
            break
    return last - index + 1


MARKER = re.compile(rb"(?<![A-Za-z0-9_])(?:TODO|FIXME|XXX|HACK)(?![A-Za-z0-9_])")
COMMENTS = (b"//", b"/*", b"#", b"--", b"<!--")


def marker_of(line):
    """From the marker of a trimmed line on, at most 80 bytes, or None."""
    found = MARKER.search(line) if len(line) <= LONGEST_LINE else None
    if not found:
        return None
    before = line[: found.start()]
    comment = before.strip(BLANK) in (b"", b"*", b"-") or any(it in before for it in COMMENTS)
    return line[found.start() : found.start() + 80] if comment else None


JS_IMPORT = re.compile(rb"""(?:^|[^A-Za-z0-9_$.])(?:from|import|import *\(|require *\() *["'](\.[^"']*)["']""")
PY_IMPORT = re.compile(rb"from +(\.+)([A-Za-z0-9_.]*) +import +([^#]*)")
AS_BLANKS = bytes.maketrans(b"()\\", b"   ")


def imports_of(language, line):
    """Targets of the relative imports of a trimmed line."""
    if len(line) > LONGEST_LINE:
        return []
    if language == "js":
        return [] if line.startswith((b"//", b"/*", b"*")) else JS_IMPORT.findall(line)
    found = PY_IMPORT.match(line) if language == "py" else None
    if not found:
        return []
    module = found[1] + found[2]
    targets = [module] if found[2] else []
    for piece in found[3].translate(AS_BLANKS).split(b","):
        words = piece.split()
        if words and words[0] != b"*":
            targets.append(module + (b"." if found[2] else b"") + words[0])
    return targets


def measure(item):
    """Everything about one item {root, path}."""
    path = unescape(item["path"])
    kind, size, content = look(unescape(item["root"]) + b"/" + path)
    answer = {"path": item["path"], "kind": kind, "bytes": size}
    if kind != "text":
        return answer
    raw = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not raw[-1]:
        raw.pop()
    lines = [text.strip(BLANK) for text in raw]
    indents = [len(text) - len(text.lstrip(BLANK)) for text in raw]
    language = language_of(path)
    functions, longest, todos, todo_list, imports, runs, significant = 0, None, 0, [], [], [], []
    for index, line in enumerate(lines):
        number = index + 1
        text = marker_of(line)
        if text is not None:
            todos += 1
            if todos <= 100:
                todo_list.append([number, escape(text)])
        if language is None:
            continue
        name = function_at(language, lines, index)
        if name is not None:
            functions += 1
            length = length_at(language, lines, indents, index)
            if longest is None or length > longest["lines"]:
                longest = {"name": escape(name), "line": number, "lines": length}
        imports += [[number, escape(target)] for target in imports_of(language, line)]
        if len(line) >= 4:
            if runs and sum(runs[-1]) == number:
                runs[-1][1] += 1
            else:
                runs.append([number, 1])
            significant.append(line + b"\n")
    windows = range(len(significant) - WINDOW + 1)
    blocks = "".join("%08x" % zlib.crc32(b"".join(significant[at : at + WINDOW])) for at in windows)
    return {
        **answer, "lines": len(lines), "functions": functions, "longest": longest, "todos": todos,
        "todo_list": todo_list, "imports": imports[:1000], "runs": runs, "blocks": blocks,
    }


# --- the member ----------------------------------------------------------------------------------------------------

outcomes = {}  # those that the host has not settled, by input id


def send(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def turn(content):
    if not isinstance(content, str):
        content = "\n".join(block["text"] for block in content if block["type"] == "text")
    try:
        item = json.loads(content)
        if isinstance(item["root"], str) and isinstance(item["path"], str):
            return {"status": "completed", "output": "", "structured": measure(item)}
    except (ValueError, KeyError, TypeError):
        pass
    return {"status": "failed", "code": "bad_item", "reason": "an item is JSON text with root and path"}


def deliver(number, given):
    key = given["inputId"]
    send(id=number, result={"outcome": "deduplicated" if key in outcomes else "accepted"})
    if key not in outcomes:
        outcomes[key] = turn(given["content"])
    send(method="turn/ended", params={"inputId": key, "fence": given["fence"], **outcomes[key]})


def observe():
    return {"inputs": [{"inputId": key, "state": "ended", "outcome": value} for key, value in outcomes.items()]}


def receive(message):
    """Handles one message; False after shutdown."""
    method, number, given = message.get("method"), message.get("id"), message.get("params")
    if method == "settled":
        outcomes.pop(given["inputId"], None)
    elif number is None or method is None:
        pass
    elif method == "initialize":
        if 1 in given["protocol"]:
            send(id=number, result={"protocol": 1, "capabilities": {"outcomes": "memory"}})
        else:
            send(id=number, error={"code": -32000, "message": "this member speaks protocol 1"})
    elif method == "deliver":
        deliver(number, given)
    elif method == "observe":
        send(id=number, result=observe())
    elif method in ("interrupt", "cancel", "wire", "unwire", "retire", "shutdown"):
        # A turn is over before the next line is read, so there is never one to stop.
        send(id=number, result=None)
    else:
        send(id=number, error={"code": -32601, "message": f"no method {method}"})
    return method != "shutdown"


def main():
    # The end of stdin ends the member.
    for line in sys.stdin.buffer:
        try:
            message = json.loads(line)
        except ValueError:
            send(id=None, error={"code": -32700, "message": "not JSON"})
            continue
        if not receive(message):
            break


main()
