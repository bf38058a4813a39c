/**
 * `npm run mutants [part of a file's name]`: applies each mutant to a copy of the tree, runs the tests of the actor layer
 * there, and lists what survived. Exit code 1 if one survived that does not say why.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "../../project/imports.ts"
import { mutants } from "./mutants.ts"

/** What the tests need. */
const parts = ["core", "sdk", "test", ".config", "package.json", "tsconfig.json"]

/** A mutant may make a loop endless: that is seen too. Milliseconds. */
const patience = 120_000

const copy = mkdtempSync(join(tmpdir(), "mutants-"))
process.on("exit", () => rmSync(copy, { recursive: true, force: true }))
for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true })
symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))

/** Whether the tests fail: the quick ones first. */
const testsFail = (): boolean => fails("**/properties/**") || fails("**/actor/{messages,supervision}/**")

const fails = (without: string): boolean => {
  const vitest = join(copy, "node_modules/vitest/vitest.mjs")
  const options = ["run", "--config", ".config/vitest.config.ts", "--bail", "1", "--no-isolate", "test/actor"]
  // linear.test.ts counts what the engine runs, and so needs a worker of its own.
  for (const left of ["**/mutants/**", "**/linear.test.ts", without]) options.push("--exclude", left)
  const { status } = spawnSync(process.execPath, [vitest, ...options], {
    cwd: copy,
    timeout: patience,
    stdio: "ignore"
  })
  return status !== 0
}

if (testsFail()) {
  console.error("the tests fail without any change; mend them first")
  process.exit(2)
}

const wanted = process.argv[2] ?? ""
const chosen = mutants.filter(({ file }) => file.includes(wanted))
const survivors = chosen.filter(({ file, find, replace }, index) => {
  const path = join(copy, file)
  const text = readFileSync(path, "utf8")
  writeFileSync(path, text.replace(find, () => replace))
  const killed = testsFail()
  writeFileSync(path, text)
  console.log(`${index + 1}/${chosen.length} ${killed ? "killed  " : "SURVIVED"} ${file}: ${find.split("\n")[0]}`)
  return !killed
})
const unexplained = survivors.filter(({ survives }) => survives === undefined)
console.log(`${chosen.length - survivors.length} of ${chosen.length} killed`)
for (const { file, find, survives } of survivors) {
  console.log(`survived: ${file}: ${find}\n  ${survives ?? "no reason known"}`)
}
process.exitCode = unexplained.length === 0 ? 0 : 1
