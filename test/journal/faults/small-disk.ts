/**
 * Runs `full-host.ts` on a file system of 8 MiB of its own, most of it taken by a file that goes when the store has been
 * full for a while, and then `read-back.ts` as a second process there. Argument: a folder to mount it on; nothing is left
 * of it. Prints what they print. Ends with 77 if this machine does not allow it; with `ask` after the folder it only
 * finds that out.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const [folder = "", ask = ""] = process.argv.slice(2)
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const node = `"$0" --conditions=mobwright-source --no-warnings`

const commands = [
  // In namespaces of its own: nobody else sees the mount, and it goes with the last process in them.
  `mount -t tmpfs -o size=8m tmpfs "$1" || exit 77`,
  `[ -z "$2" ] || exit 0`,
  `head -c 5242880 /dev/zero > "$1/ballast"`,
  `${node} "$3" "$1/data" "$1/ballast" && ${node} "$4" "$1/data"`
]

const { status } = spawnSync(
  "unshare",
  [
    "-rm",
    "sh",
    "-c",
    commands.join("\n"),
    process.execPath,
    folder,
    ask,
    script("../full-host.ts"),
    script("read-back.ts")
  ],
  { stdio: ["ignore", "inherit", ask === "" ? "inherit" : "ignore"] }
)
process.exit(status === null || ask !== "" && status !== 0 ? 77 : status)
