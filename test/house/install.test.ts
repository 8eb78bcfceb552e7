import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const repository = resolve(import.meta.dirname, '../..')
const debian = 'ID=debian\nVERSION_ID="12"\n'

let folder: string

/** A scratch root of some system, with a dpkg that names its architecture. */
function scratch(name: string, osRelease: string, systemd = true): string {
  const root = join(folder, name)
  mkdirSync(join(root, 'etc'), { recursive: true })
  writeFileSync(join(root, 'etc/os-release'), osRelease)
  if (systemd) mkdirSync(join(root, 'run/systemd/system'), { recursive: true })
  return root
}

function install(args: readonly string[], architecture = 'amd64') {
  const fake = join(folder, `dpkg-${architecture}`)
  mkdirSync(fake, { recursive: true })
  writeFileSync(join(fake, 'dpkg'), `#!/bin/sh\necho ${architecture}\n`)
  chmodSync(join(fake, 'dpkg'), 0o755)
  return spawnSync(join(repository, 'scripts/install'), args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: [fake, process.env.PATH].join(delimiter) },
  })
}

/** Every path below `root`. */
function tree(root: string): readonly string[] {
  return readdirSync(root, { recursive: true }).map(String).sort()
}

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-install-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('refuses before changing anything', () => {
  test.each([
    ['ubuntu', 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', 'amd64', true, /this is ubuntu/],
    ['alpine', 'ID=alpine\n', 'amd64', true, /this is alpine/],
    ['an old release', 'ID=debian\nVERSION_ID="10"\n', 'amd64', true, /release 11 or later/],
    ['a 32-bit Raspberry Pi OS', 'ID=raspbian\nVERSION_ID="12"\n', 'armhf', true, /programs here are armhf/],
    ['i386', debian, 'i386', true, /programs here are i386/],
    ['a system without systemd', debian, 'arm64', false, /systemd does not run here/],
    ['a system without a name', '', 'amd64', true, /unknown system/],
  ])('%s', (name, osRelease, architecture, systemd, message) => {
    const root = scratch(name, osRelease, systemd)
    const before = tree(root)
    const result = install(['--root', root], architecture)
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(message)
    expect(result.stderr).toMatch(/nothing was changed/)
    expect(tree(root)).toEqual(before)
  })

  test('an empty folder: the system is unknown, and nothing to uninstall is no success of ours', () => {
    const root = join(folder, 'empty')
    mkdirSync(root)
    const result = install(['--root', root])
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/nothing was changed: this is an unknown system/)
    const gone = install(['--root', root, '--uninstall', '--purge'])
    expect(gone.status).toBe(0)
    expect(gone.stderr).toBe(`onehop is not installed in ${root}; nothing was done.\n`)
    expect(gone.stdout).toBe('')
    expect(tree(root)).toEqual([])
  })

  test("a stranger's command of the same name", () => {
    const root = scratch('stranger', debian)
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true })
    writeFileSync(join(root, 'usr/local/bin/onehop'), '#!/bin/sh\n')
    const before = tree(root)
    const result = install(['--root', root])
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/not ours/)
    expect(tree(root)).toEqual(before)
  })

  test('an unknown option, and --purge alone', () => {
    expect(install(['--frobnicate']).status).toBe(2)
    expect(install(['--purge']).status).toBe(2)
  })
})

describe('in a scratch root', () => {
  let root: string
  let first: ReturnType<typeof install>

  beforeAll(() => {
    root = scratch('box', debian)
    first = install(['--root', root])
    expect(first.status, first.stderr).toBe(0)
  })

  test('has a runtime, the package, a command, a unit, settings and a closed state folder', () => {
    expect(mode(join(root, 'usr/local/lib/onehop/bin/node'))).toBe('755')
    expect(existsSync(join(root, 'usr/local/lib/onehop/app/dist/cli/bin.js'))).toBe(true)
    expect(existsSync(join(root, 'usr/local/lib/onehop/app/node_modules/vitest'))).toBe(false)
    expect(mode(join(root, 'usr/local/bin/onehop'))).toBe('755')
    expect(mode(join(root, 'etc/systemd/system/onehop.service'))).toBe('644')
    expect(mode(join(root, 'var/lib/onehop'))).toBe('700')
    const config: unknown = JSON.parse(readFileSync(join(root, 'etc/onehop/config.json'), 'utf8'))
    expect(config).toEqual({ state: join(root, 'var/lib/onehop') })
  })

  test('says that nothing was started; its command reads the settings of that root', () => {
    expect(first.stderr).toMatch(/Nothing was started/)
    expect(first.stderr).not.toMatch(/It runs now/)
    const command = join(root, 'usr/local/bin/onehop')
    const result = spawnSync(command, ['paths', '--json'], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    })
    expect(JSON.parse(result.stdout)).toMatchObject({
      config: join(root, 'etc/onehop/config.json'),
      state: join(root, 'var/lib/onehop'),
    })
  })

  test('has an unprivileged user and a service that starts on boot', () => {
    expect(first.stdout).toMatch(/would run: useradd --system .*--shell \/usr\/sbin\/nologin onehop/)
    expect(first.stdout).toMatch(/would run: systemctl enable onehop\.service/)
    const unit = readFileSync(join(root, 'etc/systemd/system/onehop.service'), 'utf8')
    for (const line of [
      'User=onehop',
      'ExecStart=/usr/local/bin/onehop start',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'StateDirectory=onehop',
      'StateDirectoryMode=0700',
      'RestartPreventExitStatus=5',
      'ImportCredential=onehop-passphrase',
      'WantedBy=multi-user.target',
    ])
      expect(unit).toContain(`${line}\n`)
  })

  test('its command runs on its own Node, whatever is on PATH', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      readonly version: string
    }
    const command = join(root, 'usr/local/bin/onehop')
    const result = spawnSync(command, ['--version'], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } })
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe(`${version}\n`)
  })

  test('every dependency of the package is there and loads', () => {
    const app = join(root, 'usr/local/lib/onehop/app')
    const { dependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) as {
      readonly dependencies: Readonly<Record<string, string>>
    }
    const entries: Readonly<Record<string, string>> = {
      '@noble/curves': '@noble/curves/ed25519.js',
      '@noble/hashes': '@noble/hashes/sha2.js',
    }
    const names = Object.keys(dependencies).map((name) => entries[name] ?? name)
    const code = `for (const name of ${JSON.stringify(names)}) await import(name)`
    const result = spawnSync(
      join(root, 'usr/local/lib/onehop/bin/node'),
      ['--input-type=module', '-e', `${code}; process.exit(0)`],
      { cwd: app, encoding: 'utf8' },
    )
    expect(result.stderr).toBe('')
    expect(result.status).toBe(0)
  })

  test('installed again it is upgraded in place: settings and state stay, nothing old is left', () => {
    writeFileSync(join(root, 'etc/onehop/config.json'), '{"name":"mine"}\n')
    writeFileSync(join(root, 'var/lib/onehop/node-key'), 'kept')
    writeFileSync(join(root, 'usr/local/lib/onehop/app/left-over'), '')
    const again = install(['--root', root])
    expect(again.status, again.stderr).toBe(0)
    expect(again.stdout).toMatch(/would run: systemctl restart onehop\.service/)
    expect(readFileSync(join(root, 'etc/onehop/config.json'), 'utf8')).toBe('{"name":"mine"}\n')
    expect(readFileSync(join(root, 'var/lib/onehop/node-key'), 'utf8')).toBe('kept')
    expect(existsSync(join(root, 'usr/local/lib/onehop/app/left-over'))).toBe(false)
    expect(readdirSync(join(root, 'usr/local/lib'))).toEqual(['onehop'])
  })

  test('uninstalled it leaves state and settings; purged it leaves nothing', () => {
    const gone = install(['--root', root, '--uninstall'])
    expect(gone.status, gone.stderr).toBe(0)
    expect(gone.stdout).toMatch(/would run: systemctl disable --now onehop\.service/)
    expect(gone.stdout).not.toMatch(/userdel/)
    const left = tree(root).filter((path) => path.includes('onehop'))
    expect(left).toEqual([
      'etc/onehop',
      'etc/onehop/config.json',
      'var/lib/onehop',
      'var/lib/onehop/node-key',
    ])
    const purged = install(['--root', root, '--uninstall', '--purge'])
    expect(purged.status, purged.stderr).toBe(0)
    expect(purged.stdout).toMatch(/would run: userdel onehop/)
    expect(tree(root).filter((path) => path.includes('onehop'))).toEqual([])
  })
})
