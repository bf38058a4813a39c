/**
 * Lists the files of a folder: what git tracks there, or, without git, every file under it but for dot folders and
 * `node_modules`. Names are bytes. Links are named and never followed. An adapter: it reads the disk and runs git.
 */
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { type Dirent, lstatSync, readdirSync, statSync } from "node:fs"
import { compareBytes, escapeBytes, unescapeBytes } from "./bytes.ts"

/** More files than this are refused; a flow step works through at most as many items. */
export const FILE_LIMIT = 10_000

/** Why an entry of the tree is no item. */
const SkipReason = Schema.Literals(["link", "behind_link", "submodule", "not_a_file", "unreadable_folder"])

/** An entry that is not given to an auditor. */
export const Skipped = Schema.Struct({ path: Schema.String, why: SkipReason })
export type Skipped = typeof Skipped.Type

/** A tree as the lead lists it. Paths are escaped bytes, relative to `root`, in the order of their bytes. */
export const Listing = Schema.Struct({
  root: Schema.String,
  /** `git`: the tracked files. `walk`: all files, and `note` says why git was not asked. */
  source: Schema.Literals(["git", "walk"]),
  note: Schema.String,
  items: Schema.Array(Schema.String),
  skipped: Schema.Array(Skipped)
})
export type Listing = typeof Listing.Type

/** The folder cannot be audited. */
class FolderRefused extends Schema.TaggedError<FolderRefused>()("FolderRefused", {
  folder: Schema.String,
  why: Schema.Literals(["missing", "not_a_folder", "unreadable", "empty", "too_many"])
}) {
  /** Stable code of this error. */
  readonly code = "FOLDER_REFUSED"
  override get message() {
    switch (this.why) {
      case "missing":
        return `there is no folder ${this.folder}; check the path`
      case "not_a_folder":
        return `${this.folder} is not a folder; give the folder that holds it`
      case "unreadable":
        return `${this.folder} cannot be read; check its permissions`
      case "empty":
        return `${this.folder} holds no files; there is nothing to audit`
      case "too_many":
        return `${this.folder} holds more than ${FILE_LIMIT.toLocaleString("en")} files; give a folder below it`
    }
  }
}

/** What a failed system call on the folder itself means. `code` is the errno name. */
export const refusalOf = (code: string | undefined): "missing" | "not_a_folder" | "unreadable" =>
  code === "ENOENT" ? "missing" : code === "ENOTDIR" ? "not_a_folder" : "unreadable"

/** One record of `git ls-files -z --stage`. */
type Tracked = { readonly mode: string; readonly path: string }

/** Records of `git ls-files -z --stage`: mode, object and stage, a TAB, the name. A conflict lists a name several times. */
export const parseTracked = (output: Buffer): ReadonlyArray<Tracked> => {
  const records = new Map<string, Tracked>()
  for (let start = 0; start < output.length;) {
    const end = output.indexOf(0, start)
    const tab = output.indexOf(9, start)
    const path = escapeBytes(output.subarray(tab + 1, end))
    records.set(path, { mode: output.toString("latin1", start, start + 6), path })
    start = end + 1
  }
  return [...records.values()]
}

type GitAnswer = { readonly tracked: ReadonlyArray<Tracked> } | { readonly note: string }

const askGit = (root: string): Effect.Effect<GitAnswer> =>
  Effect.callback((resume) => {
    const options = { encoding: "buffer", maxBuffer: 1 << 28, env: { ...process.env, LC_ALL: "C" } } as const
    const child = execFile("git", ["-C", root, "ls-files", "-z", "--stage"], options, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.succeed({ tracked: parseTracked(stdout) }))
      const said = stderr.toString("utf8").split("\n")[0]?.replace(/^fatal: /, "").replace(/[\p{C}]/gu, "?") ?? ""
      const note = error.code === "ENOENT"
        ? "git is not on PATH"
        : said.startsWith("not a git repository")
        ? "this is no git work tree"
        : `git refused (${said})`
      resume(Effect.succeed({ note }))
    })
    return Effect.sync(() => child.kill())
  })

const join = (folder: Buffer, name: Buffer): Buffer => Buffer.concat([folder, Buffer.from("/"), name])

/** Whether some folder on the way to a path is a link; asked once a folder. */
const linkGuard = (root: Buffer) => {
  const known = new Map<string, boolean>([["", false]])
  const behind = (folder: string): boolean => {
    const before = known.get(folder)
    if (before !== undefined) return before
    const slash = folder.lastIndexOf("/")
    const stat = lstatSync(join(root, unescapeBytes(folder)), { throwIfNoEntry: false })
    const linked = behind(slash < 0 ? "" : folder.slice(0, slash)) || stat?.isSymbolicLink() === true
    known.set(folder, linked)
    return linked
  }
  return (path: string): boolean => {
    const slash = path.lastIndexOf("/")
    return slash >= 0 && behind(path.slice(0, slash))
  }
}

type Found = { readonly items: Array<string>; readonly skipped: Array<Skipped> }

const fromGit = (root: Buffer, tracked: ReadonlyArray<Tracked>): Found => {
  const behindLink = linkGuard(root)
  const found: Found = { items: [], skipped: [] }
  for (const { mode, path } of tracked) {
    if (mode === "120000") found.skipped.push({ path, why: "link" })
    else if (mode === "160000") found.skipped.push({ path, why: "submodule" })
    else if (behindLink(path)) found.skipped.push({ path, why: "behind_link" })
    else found.items.push(path)
  }
  return found
}

const fromDisk = (root: Buffer): Found => {
  const found: Found = { items: [], skipped: [] }
  const folders: Array<string> = [""]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    let entries: ReadonlyArray<Dirent<Buffer>>
    try {
      entries = readdirSync(folder === "" ? root : join(root, unescapeBytes(folder)), {
        withFileTypes: true,
        encoding: "buffer"
      })
    } catch {
      found.skipped.push({ path: folder, why: "unreadable_folder" })
      continue
    }
    for (const entry of entries) {
      const name = escapeBytes(entry.name)
      const path = folder === "" ? name : `${folder}/${name}`
      if (entry.isSymbolicLink()) found.skipped.push({ path, why: "link" })
      else if (entry.isDirectory()) {
        if (!name.startsWith(".") && name !== "node_modules") folders.push(path)
      } else if (entry.isFile()) found.items.push(path)
      else found.skipped.push({ path, why: "not_a_file" })
    }
    if (found.items.length > FILE_LIMIT) break
  }
  return found
}

/**
 * Lists a folder. `root` is an absolute path. Fails with `FolderRefused` if there is nothing to list, or too much;
 * whatever is odd about single entries is in the listing. Interruption ends git.
 */
export const listTree = Effect.fn("RepoAudit.listTree")(function*(root: string) {
  const refused = (why: FolderRefused["why"]) => new FolderRefused({ folder: root, why })
  const attempt = <A>(look: () => A) =>
    Effect.try({
      try: look,
      // Node's file calls throw errors with an errno name in `code`.
      catch: (cause) => refused(refusalOf((cause as NodeJS.ErrnoException).code))
    })
  if (!(yield* attempt(() => statSync(root))).isDirectory()) return yield* refused("not_a_folder")
  yield* attempt(() => readdirSync(root))
  const folder = Buffer.from(root)
  const git = yield* askGit(root)
  const byGit = "tracked" in git && git.tracked.length > 0
  const found = byGit ? yield* attempt(() => fromGit(folder, git.tracked)) : fromDisk(folder)
  if (found.items.length > FILE_LIMIT) return yield* refused("too_many")
  if (found.items.length === 0) return yield* refused("empty")
  const listing: Listing = {
    root: escapeBytes(folder),
    source: byGit ? "git" : "walk",
    note: byGit
      ? ""
      : `${
        "note" in git ? git.note : "git tracks no file here"
      }: every file is listed, but for dot folders and node_modules`,
    items: found.items.sort(compareBytes),
    skipped: found.skipped.sort((a, b) => compareBytes(a.path, b.path))
  }
  return listing
})
