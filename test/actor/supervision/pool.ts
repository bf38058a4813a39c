/**
 * A dynamic supervisor of members, for tests.
 */
import {
  type ActorRef,
  ActorSystem,
  dynamicSupervisor,
  type DynamicSupervisorOptions,
  type StartChild,
  startChild
} from "../../../core/actor/index.ts"
import type { Order } from "../fixtures.ts"
import type { Family, MemberOptions } from "./family.ts"

type Options = Partial<Omit<DynamicSupervisorOptions<string, unknown, Order, unknown, never>, "child">>

/** A dynamic supervisor of members, `options` by name. */
export const pool = (family: Family, of: (name: string) => MemberOptions = () => ({}), options: Options = {}) =>
  dynamicSupervisor({
    name: "pool",
    intensity: 3,
    period: 5_000,
    counted: "each",
    ...options,
    child: (name: string) => family.member(name, of(name))
  })

export const start = (ref: ActorRef<StartChild<string, Order>>, name: string) => startChild(ref, name, 10_000)

/** Those below the first root cell. */
export const children = (system: typeof ActorSystem.Service) =>
  system.snapshotTree().children[0]?.children.map((it) => `${it.name} ${it.status}`)
