import type { Item } from '../../client/item.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { collectionOf } from '../../protocol/schema/check-item.ts'
import { appOptions, keyFromText, openApp } from '../app.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { findOwner } from '../group.ts'
import { itemJson, itemText } from '../item-output.ts'
import { requireIdentity } from '../owner.ts'

const limitDefault = 20
const limitMax = 200

export const get: Command = {
  name: 'get',
  summary: 'read records: the newest of a collection, or one',
  operands: ['COLLECTION', '[KEY]'],
  options: {
    ...appOptions,
    owner: { type: 'string', value: 'ID', help: 'of another identity, or of a group of yours by its name' },
    limit: { type: 'string', value: 'N', help: `how many (${limitDefault})` },
  },
  examples: [
    ['onehop get posts', 'your newest posts'],
    ['onehop get profile --owner ID', "somebody's profile"],
    ['onehop get posts --limit 200 --json | jq -r .value.text', 'for programs'],
  ],
  notes: 'KEY is the value of the key field (of follows: the id of a user), or the key that --json prints.',
  async run(call) {
    const {
      operands: [name = '', key],
      context,
      output,
      flags,
    } = call
    const limit = flags.count('limit') ?? limitDefault
    if (limit < 1 || limit > limitMax) throw new UsageError(`--limit takes 1 to ${limitMax}`)
    const ownerText = flags.text('owner')
    if (ownerText === undefined) await requireIdentity(context)
    await using opened = await openApp(call, name)
    const owner = await findOwner(opened, ownerText)
    const { app, schema } = opened
    const compiled = collectionOf(schema, name)
    const collection = app.collection(name)
    let items: readonly Item<unknown>[]
    if (key === undefined && compiled.key !== 'single') {
      items = (await collection.list({ owner, limit })).items
    } else {
      const item = await collection.get(key === undefined ? undefined : keyFromText(compiled, key), { owner })
      if (item === undefined)
        throw new OnehopError(
          'NOT_FOUND',
          `${name}${key === undefined ? '' : ` ${key}`}: there is no such record`,
        )
      items = [item]
    }
    for (const item of items) {
      if (output.json) output.line(itemJson(schema, item))
      else output.data(itemText(item, output))
    }
    if (items.length === 0 && !output.json) output.words(`Nothing in ${name} yet.`)
    return exitCodes.ok
  },
}
