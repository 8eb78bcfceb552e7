/** The dashboard: what the node hosts, how it fares, and pairing. Good on the node's own machine only. */
import { whenDone } from '../parts/element.ts'
import { showBoard } from './board.ts'
import { askToken, readToken } from './token.ts'

const page = document.querySelector<HTMLElement>('#page') ?? document.body

async function start(): Promise<void> {
  let problem: unknown
  while (true) {
    const token = readToken() ?? (await askToken(page, problem))
    // Ends when the node refuses the token, as after its file was made anew.
    problem = await showBoard(page, token)
  }
}

whenDone(start(), (error) => {
  throw error
})
