/** `npm run errors`: writes the table of public errors. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { publicErrors, table } from "./errors.ts"
import { root } from "./imports.ts"

writeFileSync(join(root, "core/ERRORS.md"), table(publicErrors()))
