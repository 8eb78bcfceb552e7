import { fromHex, utf8 } from '../bytes.ts'
import type { CryptoProvider } from './provider.ts'

/**
 * Whether a provider, as it came with this machine, gives the verdicts that the others give. A library that
 * turned to the cofactored equation in an update would accept the second and third signature: replicas would
 * split, and nobody would see why.
 */
export function passesSelfTest(crypto: CryptoProvider): boolean {
  return answers.every(({ valid, key, signature, message }) => {
    return crypto.verifyStrict(utf8(message), hex(signature), hex(key)) === valid
  })
}

interface Answer {
  readonly valid: boolean
  readonly message: string
  readonly key: string
  readonly signature: string
}

const key = 'f27cb81402e6860c926ff81f393d14340e41a70bc0b0195cf64a90b348cb2fc4'
const r = 'f87a22889707d326b221b2dba4102625f99227c2febe06664c8d9409eb213e21'

/** Some of test/vectors/crypto/ed25519-strict.json. */
const answers: readonly Answer[] = [
  {
    valid: true,
    message: 'onehop',
    key,
    signature: `${r}4abb1b2b9a905adf9be509fbff72c9c42b01bc036c6b83e643c61b430a60700c`,
  },
  // The key has a torsion component.
  {
    valid: false,
    message: 'onehop 0',
    key: '988b8b06afc3abd50c44e1396f4587342176485abb80721cfde8385f5e9320ce',
    signature: `${r}048c882cd0b78dd9688e766aa56fbbe9b36d1ea3659574394bb9135223d7e20c`,
  },
  // R has one.
  {
    valid: false,
    message: 'onehop 0',
    key,
    signature:
      'fb15ddd1cd7684fa60e25fe9df39afdc2b12d6908402179723b4d66311f8694a' +
      '6e1642195b38b8fad09c0b523314501b261a8fc1ba34b68d74a373c7960c6802',
  },
  // S + L.
  {
    valid: false,
    message: 'onehop',
    key,
    signature: `${r}378f1188b4f36c377282019ede6ca8d92b01bc036c6b83e643c61b430a60701c`,
  },
]

function hex(text: string): Uint8Array {
  return fromHex(text) as Uint8Array
}
