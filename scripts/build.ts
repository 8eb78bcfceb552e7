/**
 * Makes dist: the libraries (client, protocol) as modules with their declarations, the command in one bundle, and the
 * pages that a node serves, bundled for browsers. Builds beside dist and swaps at the end, so that a build that fails
 * leaves the last one in place.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const root = resolve(import.meta.dirname, '..')
const out = join(root, '.cache', `build-${process.pid}`)

function compile(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', out], {
    cwd: root,
    stdio: 'inherit',
  })
  if (result.status !== 0) throw new Error('the types do not hold')
}

/**
 * A node starts from a dozen files in place of eleven hundred, in half the time, and the more so from a memory card. What a
 * package brings compiled stays outside.
 */
async function bundleCommand(): Promise<void> {
  await build({
    // The worker stands beside the chunk that starts it.
    entryPoints: [join(out, 'cli/main.js'), join(out, 'daemon/crypto/verify-worker.js')],
    entryNames: '[name]',
    outdir: join(out, 'cli'),
    allowOverwrite: true,
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: ['classic-level', 'sodium-native', '@serenity-kit/opaque'],
    // Packages in the older module form ask for `require`, which a module has to make itself.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    legalComments: 'linked',
    logLevel: 'warning',
  })
  for (const room of ['daemon', 'storage']) rmSync(join(out, room), { recursive: true })
  for (const name of readdirSync(join(out, 'cli'))) {
    const isUsed = ['bin.js', 'main.js', 'verify-worker.js', 'chunk-'].some((start) => name.startsWith(start))
    if (!isUsed) rmSync(join(out, 'cli', name), { recursive: true })
  }
}

/**
 * client/pages/NAME/{index.html,main.ts,style.css,...}: main.ts becomes main.js and the chunks that it loads when they
 * are needed, style.css takes in what it imports, everything else goes along as it is.
 */
async function bundlePages(): Promise<readonly string[]> {
  const pages = join(root, 'client/pages')
  if (!existsSync(pages)) return []
  const names = readdirSync(pages, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(pages, entry.name, 'index.html')))
    .map((entry) => entry.name)
  for (const name of names) {
    const from = join(pages, name)
    const to = join(out, 'client/pages', name)
    cpSync(from, to, { recursive: true, filter: (path) => !/\.(?:ts|css)$/.test(path) })
    const entryPoints = ['main.ts', 'style.css']
      .map((file) => join(from, file))
      .filter((file) => existsSync(file))
    if (entryPoints.length === 0) continue
    await build({
      entryPoints,
      outdir: to,
      // Only files named after their content may be kept by browsers for ever; pages.ts knows them by this form.
      chunkNames: 'chunk-[hash]',
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      minify: true,
      sourcemap: 'linked',
      legalComments: 'linked',
      logLevel: 'warning',
    })
  }
  return names
}

function finish(): void {
  const bin = join(out, 'cli/bin.js')
  if (!readFileSync(bin, 'utf8').startsWith('#!/usr/bin/env node\n'))
    throw new Error('cli/bin.ts lost its #! line')
  chmodSync(bin, 0o755)
  const old = `${out}-old`
  const dist = join(root, 'dist')
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(out, dist)
  rmSync(old, { recursive: true, force: true })
}

const startMs = performance.now()
mkdirSync(out, { recursive: true })
try {
  compile()
  await bundleCommand()
  const pages = await bundlePages()
  finish()
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  process.stdout.write(`Built dist in ${seconds} s (pages: ${pages.join(', ') || 'none'})\n`)
} catch (error) {
  process.stderr.write(`Build failed: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  rmSync(out, { recursive: true, force: true })
}
