import { expect, test } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { systemRandom } from '../../daemon/random.ts'
import { signAppGrant } from '../../protocol/api/app-token.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { httpCaller } from '../support/api-client.ts'
import { chromiumMissing, openChromium } from '../support/chromium.ts'
import { startNodeProcess } from '../support/node-process.ts'
import { until } from '../support/until.ts'
import { createSimPerson } from '../sim/writer.ts'

test.skipIf(chromiumMissing() !== undefined)(
  'the dashboard lists the apps that were let in, and ends one',
  async () => {
    await using node = await startNodeProcess()
    const admin = httpCaller(
      Number(new URL(node.http).port),
      new URL(node.dashboard).hash.slice('#token='.length),
    )
    const crypto = await loadCrypto({ random: systemRandom })
    const ada = createSimPerson(crypto)
    await admin('admin.host.add', { hosts: [{ log: ada.log, label: 'Ada' }] })
    const grant = async (label: string, origin: string | undefined): Promise<void> => {
      const granted = signAppGrant(
        crypto,
        {
          ...{ node: fromHex(node.node, 32) as Uint8Array, id: crypto.random(32) },
          ...{ identity: ada.owner, device: ada.owning.key, app: 'example.microblog', label, origin },
          scopes: [{ collection: origin === undefined ? undefined : 'posts', access: 'read' }],
          expiresMs: Date.now() + 30 * 86_400_000,
        },
        ada.owning.seed,
      )
      await admin('token.grant', { grant: granted })
    }

    await using chromium = await openChromium()
    const { page } = chromium
    await page.goto(node.dashboard)
    await page.getByText('People who live here (1)').waitFor()
    const title = page.getByRole('heading', { name: 'Apps with a token' })
    expect(await title.isVisible()).toBe(false)

    await grant('backup', undefined)
    await grant('Reader', 'https://reader.example')
    await title.waitFor()
    const reader = page.getByRole('listitem').filter({ hasText: 'Reader' })
    expect(await reader.innerText()).toMatch(
      /https:\/\/reader\.example · of .* · good for 29 d[^]*reads posts/,
    )
    await reader.getByRole('button', { name: 'Revoke' }).click()
    await reader.waitFor({ state: 'detached' })
    await until(async () => {
      const { tokens } = await admin('token.list', {})
      return tokens.find(({ label }) => label === 'Reader')?.revokedMs !== null
    })
    expect(await page.getByRole('listitem').filter({ hasText: 'backup' }).count()).toBe(1)
    expect(chromium.faults).toEqual([])
  },
)
