/** Where a data directory's control socket is. */
import { createHash } from "node:crypto"
import { lstatSync, mkdirSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { join, resolve } from "node:path"
import { CommandFailed, ExitCode } from "../failure.ts"

/** Longest socket path in bytes. The kernel takes 107; a path of 119 was seen to fail with EINVAL. */
export const SOCKET_PATH_LIMIT = 100

/**
 * `<data>/control.sock` if that is short enough, else one in a folder of this user alone under the temporary
 * directory, named by a hash of the data directory's path. The folder is made if need be.
 */
export const socketPath = (dataDir: string): string => {
  const near = join(resolve(dataDir), "control.sock")
  if (Buffer.byteLength(near) <= SOCKET_PATH_LIMIT) return near
  const folder = join(tmpdir(), `mob-${userInfo().uid}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const stat = lstatSync(folder)
  // Somebody else may have made it first, and would then own whatever listens in it.
  if (!stat.isDirectory() || stat.uid !== userInfo().uid || (stat.mode & 0o077) !== 0) {
    throw new CommandFailed({
      code: "SOCKET_FOLDER_UNSAFE",
      text: `${folder} is not a folder of yours alone; remove it, or use a data directory with a shorter path`,
      exit: ExitCode.store
    })
  }
  return join(folder, `${createHash("sha256").update(resolve(dataDir)).digest("hex").slice(0, 24)}.sock`)
}
