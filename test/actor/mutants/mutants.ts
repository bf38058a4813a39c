/**
 * Small wrong changes of the actor layer. The tests of the layer must fail for each: `npm run mutants` shows it.
 */

/** One change: `find` stands exactly once in the file. */
export interface Mutant {
  readonly file: string
  readonly find: string
  readonly replace: string
  /** Why no test can tell the difference, where none can. */
  readonly survives?: string
}

const of = (file: string, ...changes: ReadonlyArray<readonly [find: string, replace: string, survives?: string]>) =>
  changes.map(([find, replace, survives]): Mutant => ({
    file: `core/actor/${file}`,
    find,
    replace,
    ...(survives === undefined ? {} : { survives })
  }))

/** All of them. */
export const mutants: ReadonlyArray<Mutant> = [
  ...of(
    "supervisor.ts",
    ["return times.length <= intensity", "return times.length < intensity"],
    ["times[0]! <= now - period", "times[0]! < now - period"],
    ["if (intensity === Infinity) return true", "if (intensity === Infinity) return false"],
    ["counted === \"each\" ? child.restartTimes", "counted !== \"each\" ? child.restartTimes"],
    ["(restart === \"transient\" && reason._tag === \"Crashed\")", "restart === \"transient\""],
    ["return restart === \"permanent\" ||", "return restart !== \"temporary\" ||"],
    ["now - crashes.at >= backoff.reset ? 1", "now - crashes.at >= backoff.reset ? 2"],
    ["backoff.initial * 2 ** (crashes.row - 1)", "backoff.initial * 2 ** crashes.row"],
    [", backoff.max)", ", Infinity)"],
    ["[...this.children, ...this.starting].reverse()", "[...this.children, ...this.starting]"],
    [
      "for (const companion of [...supervisor.companions(child)].reverse())",
      "for (const companion of supervisor.companions(child))"
    ],
    ["all.slice(all.indexOf(child) + 1)", "all.slice(all.indexOf(child))"],
    ["all.filter((it) => it !== child)", "all.slice(all.indexOf(child) + 1)"],
    [
      "if (companion.spec.restart === \"temporary\") companion.dispose(end)",
      "if (companion.spec.restart === \"transient\") companion.dispose(end)"
    ],
    ["if (child.spec.significant === true) this.missed()", "this.missed()"],
    ["autoShutdown === \"all_significant\") {", "autoShutdown === \"any_significant\") {"],
    ["this.pending.unshift({ child, reason: { _tag: \"Crashed\", cause } })\n        return false", "return true"],
    ["const wait = this.due - this.shared.deadlines.now()", "const wait = 0"]
  ),
  ...of(
    "cell.ts",
    ["const own = reason._tag === \"Crashed\" ? reason : endedAs", "const own = endedAs"],
    [
      "if (this.phase !== \"starting\" || this.parent.closed) return this.abandon",
      "if (this.phase !== \"starting\") return this.abandon"
    ],
    ["if (!this.parent.children.has(this)) this.dispose(reason)", "this.dispose(reason)"],
    [
      "if (!live && incarnation.endedAs !== undefined) this.parent",
      "if (live && incarnation.endedAs !== undefined) this.parent"
    ],
    ["if (crashed) this.answerTaken(() => Exit.fail(this.crashed(reason.cause)))", ""],
    ["this.answerTaken(() => Exit.fail(this.stopped()))", "this.answerTaken(() => Exit.void)"],
    ["this.parent.forget(this)", ""],
    ["if (this.phase === \"stopping\" && !drain) this.drained?.()", ""],
    ["if (watchers !== undefined) { for (const watch of watchers) watch.tell(reason) }", ""],
    ["this.parent.left(this.node)", ""],
    ["if (startTimeout !== \"infinity\") deadlines.add(overdue, startTimeout)", ""],
    ["const { startTimeout = DEFAULT_START } = this.spec", "const { startTimeout = \"infinity\" } = this.spec"]
  ),
  ...of(
    "handler.ts",
    [
      "if (this.queued || incarnation.busy || !this.handles(incarnation)) return",
      "if (this.queued || !this.handles(incarnation)) return"
    ],
    ["return incarnation.live && !incarnation.suspended", "return incarnation.live"],
    [
      "else if (!Cause.hasInterruptsOnly(exit.cause)) this.failed(incarnation, exit.cause)",
      "else this.failed(incarnation, exit.cause)"
    ],
    ["this.lose(\"crashed\", message)\n", ""],
    ["if (this.asideNow) this.handled(true)", ""],
    ["    this.idle = false\n    this.left = 0\n", "    this.idle = false\n"]
  ),
  ...of(
    "addressee.ts",
    [
      "if (!this.open || this.mailbox.size >= this.capacity) return",
      "if (!this.open || this.mailbox.size > this.capacity) return"
    ],
    ["if (!waiter.waits()) continue\n      this.mailbox.push", "this.mailbox.push"],
    ["if (oldest?.number !== this.taken) return", "if (oldest === undefined) return"],
    ["if (aside.size >= this.capacity) return false", ""]
  ),
  ...of(
    "ask.ts",
    ["this.asked.deadlines.remove(this)\n", ""],
    ["if (depth >= MAX_DEPTH) {", "if (depth < MAX_DEPTH) {"]
  ),
  ...of(
    "incarnation.ts",
    ["this.timers?.cancelAll()", ""],
    ["this.watches?.removeAll()", ""],
    ["if (this.busy) this.host.cutShort(this)", ""],
    ["!brutal && this.started && spec.onStop !== undefined", "this.started && spec.onStop !== undefined"]
  ),
  ...of(
    "stash.ts",
    ["of aside.toReversed()) {", "of aside) {"],
    ["asks?.prepend(ask)", "asks?.append(ask)"],
    ["handlesNewest ? this.aside.slice(0, -1) : this.aside", "this.aside"]
  ),
  ...of(
    "timers.ts",
    ["if (timer.waiting) return\n", ""],
    ["if (this.byKey.get(timer.key) !== timer) return NOTHING", ""],
    [
      "Math.max(1, Math.ceil((now - timer.ideal) / period))",
      "1",
      "it saves work only: ticks that were missed would be left out one by one, because one waits"
    ]
  ),
  ...of(
    "watch.ts",
    ["if (target.ended !== undefined) watch.tell(target.ended)\n    else ", ""],
    ["if (this.byTarget.get(target) !== watch) return false", ""]
  ),
  ...of("deadlines.ts", [
    "const due = Math.ceil(this.now() + Math.max(0, millis))",
    "const due = Math.floor(this.now() + Math.max(0, millis))"
  ]),
  ...of("nact-tree.ts", ["this.partitioned && count >= PARTITION", "this.partitioned && count > PARTITION"])
]
