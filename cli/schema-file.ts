/** Schemas on the command line: a JSON file, or the id of an app whose schema was applied here before. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { microblog } from '../client/microblog.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { parseSchema } from '../protocol/schema/validate.ts'
import type { Option } from './command.ts'
import { dataFolder } from './key-store.ts'

export const schemaOption: Option = {
  type: 'string',
  value: 'FILE|APP',
  help: `schema file, or id of an applied app (${microblog.id})`,
}

/** Schemas that were applied, by app, so that they can be named by their ids. */
export function schemaFolder(environment: NodeJS.ProcessEnv): string {
  return join(dataFolder(environment), 'schemas')
}

/** Without a name the microblog, which every release carries. `find`: where an app's schema is looked for that was not applied here. */
export async function openSchema(
  name: string | undefined,
  environment: NodeJS.ProcessEnv,
  find: (app: string) => Promise<Schema | undefined> = async () => undefined,
): Promise<Schema> {
  if (name === undefined || name === microblog.id || name === 'microblog') return microblog
  const isId = /^[a-zA-Z0-9]+(\.[a-zA-Z0-9]+)+$/.test(name) && !name.endsWith('.json')
  if (!isId) return readSchemaFile(name)
  const kept = join(schemaFolder(environment), `${name}.json`)
  try {
    return await readSchemaFile(kept)
  } catch (error) {
    if (!(error instanceof OnehopError) || error.code !== 'NOT_FOUND') throw error
    const found = await find(name)
    if (found === undefined)
      throw new OnehopError('UNKNOWN_SCHEMA', `no schema of ${name} was applied here`, {
        cause: error,
        help: `Apply its file: onehop schema apply FILE. Where you have written with it, your node knows it: onehop get COLLECTION --schema ${name}`,
      })
    await keepSchema(found, environment)
    return found
  }
}

/** Throws NOT_FOUND, or BAD_SCHEMA naming every problem. */
export async function readSchemaFile(path: string): Promise<Schema> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new OnehopError('NOT_FOUND', `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
      help: 'Name a file that holds a schema as JSON.',
    })
  }
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw new OnehopError('BAD_SCHEMA', `${path} is not JSON: ${(cause as Error).message}`, { cause })
  }
  return parseSchema(document)
}

export async function keepSchema(schema: Schema, environment: NodeJS.ProcessEnv): Promise<void> {
  const folder = schemaFolder(environment)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(join(folder, `${schema.id}.json`), `${JSON.stringify(schema.document, undefined, 2)}\n`)
}
