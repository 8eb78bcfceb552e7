import { OnehopError } from '../../../protocol/errors.ts'
import { formatScope, segmentOf } from '../../../protocol/scope.ts'
import { element, field } from '../parts/element.ts'
import { countries } from './places.ts'

export interface PlaceField {
  readonly element: HTMLElement
  /** The scope of the town; undefined where nothing was chosen. Throws a message for the person. */
  read(): string | undefined
}

/** Where a person is known to be, no closer than their town. */
export function placeField(scope: string | undefined): PlaceField {
  const [, , , countryBefore, townBefore] = (scope ?? '').split('/')
  const list = countries()
  const country = element(
    'select',
    { id: 'place-country', autocomplete: 'country' },
    element('option', { value: '' }, 'Rather not say'),
  )
  for (const { code, name } of list) {
    country.append(element('option', { value: code, selected: code === countryBefore }, name))
  }
  const town = element('input', {
    id: 'place-town',
    autocomplete: 'address-level2',
    maxlength: 60,
    value: townBefore?.replaceAll('-', ' '),
    placeholder: 'Lagos',
  })
  const townField = field(
    'Town',
    town,
    'People near you find you by it. Nothing finer than a town is ever kept.',
  )
  const show = (): void => {
    townField.hidden = country.value === ''
  }
  country.addEventListener('change', show)
  show()
  return {
    element: element('div', { class: 'stack' }, field('Country', country), townField),
    read() {
      const chosen = list.find(({ code }) => code === country.value)
      if (chosen === undefined) return undefined
      const segment = segmentOf(town.value)
      if (segment === undefined) {
        town.focus()
        const empty = town.value.trim() === ''
        throw new OnehopError('BAD_FIELD', empty ? 'the town is missing' : 'the town has no Latin letters', {
          help: empty
            ? 'Name it, or choose “Rather not say”.'
            : 'Write it in Latin letters, so that everybody spells it alike.',
        })
      }
      return formatScope('geo', [chosen.continent, chosen.code, segment])
    },
  }
}
