import { imageType } from '../../../protocol/schema/image-type.ts'
import type { BlobReference } from '../../../protocol/schema/value.ts'
import { element, fill } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'
import { failureNotice } from '../parts/notice.ts'
import { pictureUrl } from '../parts/picture-url.ts'
import { personName } from '../parts/portrait.ts'
import { bytesInWords } from '../parts/words.ts'
import type { Phone } from './phone.ts'
import type { Post } from './post.ts'

/** The whole picture over the page: first the preview, then, when it has come, the real one. */
export async function showPicture(phone: Phone, post: Post, reference: BlobReference): Promise<void> {
  const alt = `Picture by ${personName(post.author)}`
  const image = element('img', {
    alt,
    src: post.preview === undefined ? undefined : pictureUrl(post.preview),
  })
  const status = element(
    'p',
    { class: 'viewer-status', 'aria-live': 'polite' },
    `Fetching ${bytesInWords(reference.size)} …`,
  )
  const close = element(
    'button',
    { type: 'button', class: 'button viewer-close', 'aria-label': 'Close' },
    icon('close'),
  )
  const dialog = element('dialog', { class: 'viewer', 'aria-label': alt }, image, close, status)
  let url: string | undefined
  close.addEventListener('click', () => dialog.close())
  dialog.addEventListener('close', () => {
    dialog.remove()
    if (url !== undefined) URL.revokeObjectURL(url)
  })
  document.body.append(dialog)
  dialog.showModal()
  try {
    const app = await phone.app()
    const bytes = await app.blobs.bytes(reference, { owner: post.author.id })
    if (!dialog.open) return
    url = URL.createObjectURL(new Blob([Uint8Array.from(bytes)], { type: imageType(bytes) ?? 'image/jpeg' }))
    image.src = url
    status.remove()
  } catch (error) {
    fill(status, failureNotice(error))
  }
}
