// An auditor: a member in plain Node, without any package. It speaks sdk/protocol/PROTOCOL.md on stdio, one JSON-RPC
// document a line, and answers each item with what MEASURES.md defines. Its twin is auditor.py.
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs"
import { crc32 } from "node:zlib"

const LIMIT = 1_048_576
const WINDOW = 10
const LONGEST_LINE = 500

// --- bytes -----------------------------------------------------------------------------------------------------

/** Escaped bytes to bytes. */
const unescape = (text) => Buffer.from(text.replace(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))), "latin1")

/** Latin-1 text (one character a byte) to escaped bytes. */
const escape = (text) =>
  text.replace(/[^\x20-\x7e]|[%"\\]/g, (byte) => "%" + byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0"))

const isBlank = (code) => code === 32 || (code >= 9 && code <= 13 && code !== 10)

/** Without blank bytes at both ends. */
const trim = (text) => {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

// --- reading ---------------------------------------------------------------------------------------------------

const read = (file, size) => {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) return undefined
    const bytes = Buffer.alloc(Math.max(stat.size, size))
    let length = 0
    for (;;) {
      const got = readSync(descriptor, bytes, length, bytes.length - length, null)
      if (got === 0) return bytes.subarray(0, length)
      length += got
    }
  } finally {
    closeSync(descriptor)
  }
}

/** The file's kind, and its bytes where they count. */
const look = (file) => {
  let stat
  try {
    stat = lstatSync(file)
  } catch (error) {
    return { kind: error.code === "ENOENT" || error.code === "ENOTDIR" ? "missing" : "unreadable", bytes: 0 }
  }
  if (stat.isSymbolicLink()) return { kind: "link", bytes: 0 }
  if (!stat.isFile()) return { kind: "not_a_file", bytes: 0 }
  if (stat.size > LIMIT) return { kind: "large", bytes: stat.size }
  try {
    const content = read(file, stat.size)
    if (content === undefined) return { kind: "not_a_file", bytes: 0 }
    if (content.includes(0)) return { kind: "binary", bytes: content.length }
    return { kind: "text", bytes: content.length, content }
  } catch {
    return { kind: "unreadable", bytes: 0 }
  }
}

// --- measures --------------------------------------------------------------------------------------------------

const LANGUAGES = new Map([
  ..."js mjs cjs jsx ts mts cts tsx".split(" ").map((end) => [end, "js"]),
  ..."py pyi".split(" ").map((end) => [end, "py"]),
  ..."c h cc cpp cxx hh hpp hxx cs java go rs kt swift php scala dart".split(" ").map((end) => [end, "c"])
])

/** Language of a path in Latin-1 text, or undefined. */
const languageOf = (path) => {
  const name = path.slice(path.lastIndexOf("/") + 1)
  const dot = name.lastIndexOf(".")
  const end = dot < 0 ? "" : name.slice(dot + 1)
  return LANGUAGES.get(end.replace(/[A-Z]/g, (letter) => letter.toLowerCase()))
}

const I = "[A-Za-z_$\\x80-\\xff][A-Za-z0-9_$\\x80-\\xff]*"
const M = "(?:(?:public|private|protected|static|override|abstract|readonly|async|get|set) +)*"
const JS1 = new RegExp(`^(?:export +)?(?:default +)?(?:async +)?function(?: +| *\\* *)(${I}) *[(<]`)
const JS2 = new RegExp(`^(?:export +)?(?:const|let|var) +(${I})[ :=]`)
const JS3 = new RegExp(`^${M}\\*? *(#?${I}) *(?:<[^<>]*>)? *\\(`)
const JS4 = new RegExp(`^${M}(#?${I}) *[:=]`)
const PY = new RegExp(`^(?:async +)?def +(${I}) *[\\[(]`)
const C1 = new RegExp(`^(?:[a-z]+(?:\\([a-z]*\\))? +)*(?:fn|func|fun|function) +(?:\\([^()]*\\) *)?(${I})`)
const C2 = /^([A-Za-z_@][A-Za-z0-9_:<>,*&[\]~. \t]*[ \t*&>\]])([A-Za-z_~][A-Za-z0-9_~:]*) *\(/
const CONTROL = new Set(
  ("if for while switch catch return else do with new typeof await function throw case default goto delete using yield " +
    "class struct enum interface record object trait impl namespace import package").split(" ")
)

const count = (text, byte) => text.split(byte).length - 1
const balanced = (text) => count(text, "(") === count(text, ")")
const hasFunction = (text) => text.includes("=>") || text.includes("function")

/** Name of the function that starts at a trimmed line, or undefined. */
const functionAt = (language, lines, index) => {
  const line = lines[index]
  if (line.length > LONGEST_LINE) return undefined
  if (language === "py") return PY.exec(line)?.[1]
  if (language === "js") {
    const first = JS1.exec(line)
    if (first) return first[1]
    const second = JS2.exec(line)
    if (second && (hasFunction(line) || line.endsWith("= (") || line.endsWith("= async ("))) return second[1]
    if (!line.endsWith("{")) return undefined
    const third = JS3.exec(line)
    if (third && balanced(line) && !CONTROL.has(third[1])) return third[1]
    const fourth = JS4.exec(line)
    return fourth && hasFunction(line) && !CONTROL.has(fourth[1]) ? fourth[1] : undefined
  }
  const first = C1.exec(line)
  if (first) return first[1]
  const second = C2.exec(line)
  if (!second || !balanced(line)) return undefined
  if (!line.endsWith("{")) {
    if (line.endsWith(";") || line.endsWith(",")) return undefined
    let next = index + 1
    while (next < lines.length && lines[next] === "") next++
    if (lines[next] !== "{") return undefined
  }
  const words = `${second[1]} ${second[2]}`.match(/[A-Za-z0-9_]+/g) ?? []
  return words.some((word) => CONTROL.has(word)) ? undefined : second[2]
}

/** Number of lines of the function that starts at `index`. */
const lengthAt = (language, lines, indents, index) => {
  let last = index
  for (let at = index + 1; at < lines.length; at++) {
    const line = lines[at]
    if (line === "") continue
    if (indents[at] > indents[index]) {
      last = at
      continue
    }
    const byte = line[0]
    if (byte === "#" && language !== "js") continue
    if (byte !== ")" && byte !== "]" && byte !== "{" && byte !== "}") break
    last = at
    if (byte === "}" && language !== "py") break
  }
  return last - index + 1
}

const MARKER = /(?<![A-Za-z0-9_])(?:TODO|FIXME|XXX|HACK)(?![A-Za-z0-9_])/
const COMMENTS = ["//", "/*", "#", "--", "<!--"]

/** From the marker of a trimmed line on, at most 80 bytes, or undefined. */
const markerOf = (line) => {
  if (line.length > LONGEST_LINE) return undefined
  const found = MARKER.exec(line)
  if (!found) return undefined
  const before = line.slice(0, found.index)
  const bare = trim(before)
  const comment = bare === "" || bare === "*" || bare === "-" || COMMENTS.some((it) => before.includes(it))
  return comment ? line.slice(found.index, found.index + 80) : undefined
}

const JS_IMPORT = /(?:^|[^A-Za-z0-9_$.])(?:from|import|import *\(|require *\() *["'](\.[^"']*)["']/g
const PY_IMPORT = /^from +(\.+)([A-Za-z0-9_.]*) +import +([^#]*)/

/** Targets of the relative imports of a trimmed line. */
const importsOf = (language, line) => {
  if (line.length > LONGEST_LINE) return []
  if (language === "js") {
    if (line.startsWith("//") || line.startsWith("/*") || line.startsWith("*")) return []
    return Array.from(line.matchAll(JS_IMPORT), (found) => found[1])
  }
  const found = language === "py" ? PY_IMPORT.exec(line) : null
  if (!found) return []
  const module = found[1] + found[2]
  const targets = found[2] === "" ? [] : [module]
  for (const piece of found[3].replace(/[()\\]/g, " ").split(",")) {
    const name = piece.split(/[ \t\v\f\r]+/).find((word) => word !== "")
    if (name !== undefined && name !== "*") targets.push(found[2] === "" ? module + name : `${module}.${name}`)
  }
  return targets
}

/** Everything about one item `{root, path}`. */
const measure = (item) => {
  const path = unescape(item.path)
  const { kind, bytes, content } = look(Buffer.concat([unescape(item.root), Buffer.from("/"), path]))
  if (kind !== "text") return { path: item.path, kind, bytes }
  const mark = content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf ? 3 : 0
  const raw = content.toString("latin1", mark).split("\n")
  if (raw[raw.length - 1] === "") raw.pop()
  const lines = raw.map(trim)
  const indents = raw.map((text) => {
    let at = 0
    while (at < text.length && isBlank(text.charCodeAt(at))) at++
    return at
  })
  const language = languageOf(path.toString("latin1"))
  const answer = { path: item.path, kind, bytes, lines: lines.length, functions: 0, longest: null, todos: 0, todo_list: [], imports: [], runs: [], blocks: "" }
  const significant = []
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]
    const text = markerOf(line)
    if (text !== undefined && ++answer.todos <= 100) answer.todo_list.push([index + 1, escape(text)])
    if (language === undefined) continue
    const name = functionAt(language, lines, index)
    if (name !== undefined) {
      answer.functions++
      const length = lengthAt(language, lines, indents, index)
      if (answer.longest === null || length > answer.longest.lines) {
        answer.longest = { name: escape(name), line: index + 1, lines: length }
      }
    }
    for (const target of importsOf(language, line)) {
      if (answer.imports.length < 1000) answer.imports.push([index + 1, escape(target)])
    }
    if (line.length >= 4) {
      const run = answer.runs[answer.runs.length - 1]
      if (run !== undefined && run[0] + run[1] === index + 1) run[1]++
      else answer.runs.push([index + 1, 1])
      significant.push(Buffer.from(line + "\n", "latin1"))
    }
  }
  const blocks = []
  for (let at = 0; at + WINDOW <= significant.length; at++) {
    blocks.push(crc32(Buffer.concat(significant.slice(at, at + WINDOW))).toString(16).padStart(8, "0"))
  }
  answer.blocks = blocks.join("")
  return answer
}

// --- the member ------------------------------------------------------------------------------------------------

const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n")

/** Outcomes that the host has not settled, by input id. */
const outcomes = new Map()

const textOf = (content) => typeof content === "string" ? content : content.flatMap((it) => it.type === "text" ? [it.text] : []).join("\n")

const turn = (content) => {
  let item
  try {
    item = JSON.parse(textOf(content))
  } catch {
    item = undefined
  }
  if (typeof item?.root !== "string" || typeof item?.path !== "string") {
    return { status: "failed", code: "bad_item", reason: "an item is JSON text with root and path" }
  }
  return { status: "completed", output: "", structured: measure(item) }
}

/** An answer that says no. */
class Refusal {
  constructor(code, message) {
    this.error = { code, message }
  }
}

const requests = {
  initialize: ({ protocol }) =>
    protocol.includes(1)
      ? { protocol: 1, capabilities: { outcomes: "memory" } }
      : new Refusal(-32000, "this member speaks protocol 1"),
  deliver: ({ inputId, fence, content }, answer) => {
    const known = outcomes.get(inputId)
    answer({ outcome: known === undefined ? "accepted" : "deduplicated" })
    const outcome = known ?? turn(content)
    outcomes.set(inputId, outcome)
    send({ method: "turn/ended", params: { inputId, fence, ...outcome } })
  },
  observe: () => ({ inputs: [...outcomes].map(([inputId, outcome]) => ({ inputId, state: "ended", outcome })) }),
  // A turn is over before the next line is read, so there is never one to stop.
  interrupt: () => null,
  cancel: () => null,
  wire: () => null,
  unwire: () => null,
  retire: () => null,
  shutdown: (_, answer) => {
    answer(null)
    process.stdin.destroy()
  }
}

const receive = (line) => {
  let message
  try {
    message = JSON.parse(line)
  } catch {
    return send({ id: null, error: { code: -32700, message: "not JSON" } })
  }
  const { id, method, params } = message
  if (method === "settled") outcomes.delete(params.inputId)
  if (id === undefined || method === undefined) return
  const request = Object.hasOwn(requests, method) ? requests[method] : undefined
  if (request === undefined) return send({ id, error: { code: -32601, message: `no method ${method}` } })
  const answer = (result) => send(result instanceof Refusal ? { id, error: result.error } : { id, result })
  const result = request(params ?? {}, answer)
  if (result !== undefined) answer(result)
}

// Lines are cut from bytes, so that a character on the border of two chunks stays whole. The end of stdin ends the member.
let rest = []
process.stdin.on("data", (chunk) => {
  let start = 0
  for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
    const line = Buffer.concat([...rest, chunk.subarray(start, end)]).toString("utf8")
    rest = []
    start = end + 1
    if (line.trim() !== "") receive(line)
  }
  if (start < chunk.length) rest.push(chunk.subarray(start))
})
