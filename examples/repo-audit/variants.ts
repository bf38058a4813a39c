/**
 * The same mob for a machine without Python: the two Python seats become Node seats, and every file is measured once.
 * It is another mob, with an id of its own, because its roster differs.
 */
import { Effect } from "effect"
import { digestOf, type LoadedDefinition } from "mobwright/sdk"

const ROLE = "auditor_python"
const STEP = "python"

/** The definition without Python. */
export const withoutPython = Effect.fn("RepoAudit.withoutPython")(function*(loaded: LoadedDefinition) {
  const { definition } = loaded
  const other = (id: string) => id !== STEP
  const flows = definition.flows.map(([id, flow]) =>
    [id, {
      ...flow,
      steps: flow.steps.filter(([step]) => other(step)).map(([step, it]) =>
        [step, {
          ...it,
          depends_on: it.depends_on.filter(other),
          message: typeof it.message === "string" ? it.message.replace(`{{ steps.${STEP} }}`, "[]") : it.message
        }] as const
      ),
      root: {
        nodes: flow.root.nodes.filter(([node]) => other(node)).map(([node, it]) =>
          [node, { ...it, depends_on: it.depends_on.filter(other) }] as const
        )
      }
    }] as const
  )
  const without = {
    ...definition,
    id: `${definition.id}-node`,
    profiles: definition.profiles.filter(([role]) => role !== ROLE),
    members: definition.members.map((member) =>
      member.profile === ROLE
        ? { ...member, identity: member.identity.replace("python-", "node-spare-"), profile: "auditor_node" }
        : member
    ),
    flows
  }
  return { ...loaded, definition: without, digest: yield* digestOf(without) }
})
