import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { nearestWord } from '../../protocol/schema/problem.ts'
import { appOptions, openApp } from '../app.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { findOwner } from '../group.ts'
import { fieldText, itemJson, itemText } from '../item-output.ts'
import { requireIdentity } from '../owner.ts'
import { safeText } from '../output.ts'
import { counted, formatCount, shortId } from '../units.ts'

export const view: Command = {
  name: 'view',
  summary: "a page's data, answered whole by one node",
  operands: ['NAME'],
  options: {
    ...appOptions,
    owner: { type: 'string', value: 'ID', help: 'of another identity, or of a group of yours by its name' },
  },
  examples: [
    ['onehop view home', 'your home page: profile, feed, counts'],
    ['onehop view person --owner ID', "somebody's page"],
  ],
  async run(call) {
    const {
      operands: [name = ''],
      context,
      output,
      flags,
    } = call
    const ownerText = flags.text('owner')
    if (ownerText === undefined) await requireIdentity(context)
    await using opened = await openApp(call)
    const owner = await findOwner(opened, ownerText)
    const { app, schema } = opened
    const known = Object.keys(schema.document.views ?? {})
    if (!known.includes(name)) {
      const near = nearestWord(name, known)
      throw new OnehopError('UNKNOWN_VIEW', `${schema.id} has no view ${JSON.stringify(name)}`, {
        help: near === undefined ? `It has: ${known.join(', ') || 'none'}.` : `Did you mean ${near}?`,
      })
    }
    const page = await app.view(name, { owner })
    const own = Object.entries(page.own).flatMap(([, item]) => (item === undefined ? [] : [item]))
    const latest = Object.entries(page.latest).flatMap(([collection, part]) =>
      part === undefined ? [] : [{ collection, items: part.items }],
    )
    if (output.json) {
      output.line({
        view: name,
        owner: toHex(owner),
        own: Object.fromEntries(own.map((item) => [item.collection, itemJson(schema, item)])),
        latest: Object.fromEntries(
          latest.map(({ collection, items }) => [collection, items.map((item) => itemJson(schema, item))]),
        ),
        feed: page.feed?.items.map((item) => itemJson(schema, item)) ?? null,
        counts: page.counts,
        requestsBetweenNodes: page.requestsBetweenNodes,
      })
      return exitCodes.ok
    }
    const { bold, dim } = output
    for (const item of own) {
      output.data(bold(item.collection))
      for (const [field, value] of Object.entries(item.value as object))
        output.data(`  ${dim(`${field}:`)} ${fieldText(value)}`)
    }
    for (const [what, count] of Object.entries(page.counts))
      output.data(`${bold(what)} ${formatCount(count)}`)
    for (const { collection, items } of latest) {
      output.data(`\n${bold(`newest ${collection}`)}`)
      for (const item of items) output.data(`  ${itemText(item, output)}`)
    }
    if (page.feed !== undefined) {
      output.data(
        `\n${bold('feed')}${page.feed.items.length === 0 ? dim('  nothing yet: follow somebody') : ''}`,
      )
      for (const item of page.feed.items) {
        const author = page.feed.authors.get(toHex(item.owner))
        const profile = Object.values(author ?? {}).find(hasName)
        const who = profile === undefined ? shortId(item.owner) : safeText(profile.value.name)
        output.data(`  ${bold(who)}  ${itemText(item, output)}`)
      }
    }
    output.words(
      dim(
        `\nOne request to ${app.node().address}; ${counted(page.requestsBetweenNodes, 'request')} between nodes.`,
      ),
    )
    return exitCodes.ok
  },
}

function hasName(item: unknown): item is { readonly value: { readonly name: string } } {
  const value = (item as { readonly value?: { readonly name?: unknown } } | undefined)?.value
  return typeof value?.name === 'string'
}
