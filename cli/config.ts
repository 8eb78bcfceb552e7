/**
 * Where the daemon's state lies and what it would start with. Every command must read the layers exactly as the
 * daemon does, or `onehop status --state DIR` would look for another node than `onehop start --state DIR` runs.
 */
export { configFile, readConfig } from '../daemon/config.ts'
export type { Config, ConfigSources, Setting } from '../daemon/config.ts'
export { statePaths, writeSecretFile } from '../daemon/state-folder.ts'
