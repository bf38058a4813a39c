/**
 * A tree of cells as plain data.
 */
import type { Child } from "./parts.ts"
import type { TreeNode } from "./types.ts"

interface Growing extends Omit<TreeNode, "children"> {
  readonly children: Array<Growing>
}

/** `root` with what is below it. Without recursion: a tree may be deeper than the stack. */
export const snapshot = (root: Omit<TreeNode, "children">, below: Iterable<Child>): TreeNode => {
  const top: Growing = { ...root, children: [] }
  const open: Array<readonly [into: Growing, below: Iterable<Child>]> = [[top, below]]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [into, children] = next
    for (const child of children) {
      const node: Growing = { ...child.inspect(), children: [] }
      into.children.push(node)
      open.push([node, child.below()])
    }
  }
  return top
}
