/** What a command finds around it besides its home: what the one before it compiled, too, where `./scripts/test` keeps that. */
export const commandEnv: NodeJS.ProcessEnv = {
  PATH: process.env['PATH'],
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
}
