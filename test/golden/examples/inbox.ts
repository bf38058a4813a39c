/**
 * What an inbox stores in its newest version: facts by hand, so that each has all it can have, and heads folded from such
 * facts.
 */
import { encodeInbox, evolveInbox, type InboxFact, inboxInitial } from "../../../core/machine/inbox/index.ts"
import { Identity } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import type { Outcome } from "../../../sdk/outcome.ts"

const deadline = 1735732830000
const blocks = [{ type: "text", text: "See the picture" }, { type: "image", media_type: "image/png", data: "aGVsbG8=" }]
const outcomes: ReadonlyArray<Outcome> = [
  { status: "completed", output: "On fences." },
  { status: "completed", output: "{\"pages\":2}", structured: { pages: 2, none: null } },
  { status: "failed", code: "no_ink", reason: "there is no ink" },
  { status: "canceled", reason: "nobody wants it" }
]

/** Facts of every type. */
export const inboxFacts: ReadonlyArray<InboxFact> = [
  { v: 1, type: "work_accepted", work_ref: "work-1", key: "work-1", content: "fences", fence: 3 },
  {
    v: 1,
    type: "work_accepted",
    work_ref: "work-2",
    key: "first words \u2028 ünicode 😀",
    content: blocks,
    deadline,
    fence: 3
  },
  { v: 1, type: "work_redelivered", work_ref: "work-1", fence: 4 },
  ...outcomes.map((outcome): InboxFact => ({ v: 1, type: "work_completed", work_ref: "work-1", fence: 4, outcome })),
  ...outcomes.map((outcome): InboxFact => ({ v: 1, type: "work_timed_out", work_ref: "work-2", outcome })),
  { v: 1, type: "work_ended", work_ref: "work-2" },
  { v: 1, type: "inbox_closed", generation: 2, abandoned: 1 }
]

const accepted = (work_ref: string, more: { readonly deadline?: number; readonly key?: string } = {}): InboxFact => ({
  v: 1,
  type: "work_accepted",
  work_ref,
  key: work_ref,
  content: `on ${work_ref}`,
  fence: 3,
  ...more
})

const folded = (facts: ReadonlyArray<InboxFact>): Json =>
  encodeInbox(facts.reduce(evolveInbox, inboxInitial(Identity.make("the editor"))))

/** Heads of an inbox, as they are stored: with work of every kind, closed, and empty again. */
export const inboxHeads = (): ReadonlyArray<Json> => {
  const work: ReadonlyArray<InboxFact> = [
    ...outcomes.flatMap((outcome, index): ReadonlyArray<InboxFact> => [
      accepted(`done-${index}`, index === 0 ? {} : { key: `key ${index}` }),
      { v: 1, type: "work_completed", work_ref: `done-${index}`, fence: 3, outcome }
    ]),
    accepted("waits"),
    accepted("hurries", { deadline, key: "by noon" }),
    { v: 1, type: "work_redelivered", work_ref: "hurries", fence: 5 },
    accepted("late", { deadline }),
    {
      v: 1,
      type: "work_timed_out",
      work_ref: "late",
      outcome: { status: "failed", code: "timeout", reason: "its deadline passed" }
    },
    { v: 1, type: "work_accepted", work_ref: "blocks", key: "blocks", content: blocks, fence: 3 }
  ]
  const closed: InboxFact = { v: 1, type: "inbox_closed", generation: 2, abandoned: 3 }
  return [folded([accepted("only")]), folded(work), folded([...work, closed]), folded([closed])]
}
