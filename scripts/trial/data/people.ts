import { Draw } from './draw.ts'
import { makePicture } from './pictures.ts'
import { nearestHome, type Town, TownChooser } from './towns.ts'

export interface Person {
  readonly number: number
  /** Index of the home that hosts them. */
  readonly home: number
  readonly town: Town
  readonly name: string
  /** May be searched up to the continent, not in the world. */
  readonly bio: string
  readonly thumb: Uint8Array | undefined
}

/** Made up: whose posts these really are is nobody's business here. */
const given =
  'Ada Bayo Chidi Dalila Emeka Femi Grace Halima Ines Jomo Karl Lena Musa Ngozi Otto Petra Quincy Rosa Sefu Tunde Uwe Vera Wanjiru Xaver Yusuf Zuri'.split(
    ' ',
  )
const family =
  'Adler Bello Coker Danso Eze Falk Gruber Hassan Igwe Jansen Kamau Lang Mwangi Njoroge Okafor Pohl Quandt Richter Sani Thoma Umar Vogel Wekesa Yilmaz Zimmer'.split(
    ' ',
  )
const crafts = 'nurse baker teacher plumber farmer student driver tailor potter engineer sailor weaver'.split(
  ' ',
)
const pastimes = 'chess cycling radio gardening football maps birds pottery running cooking stars'.split(' ')

/** Every so many have a picture of themselves. */
const thumbEvery = 8

export function makePeople(count: number, towns: readonly Town[], seed: number): Person[] {
  const draw = new Draw(seed)
  const chooser = new TownChooser(towns)
  const homes = new Map<Town, number>()
  return Array.from({ length: count }, (_, number) => {
    const town = chooser.choose(draw)
    const home = homes.get(town) ?? nearestHome(town)
    homes.set(town, home)
    return {
      number,
      home,
      town,
      name: `${draw.of(given)} ${draw.of(family)}`,
      bio: `${draw.of(crafts)} in ${town.name}, likes ${draw.of(pastimes)} and ${draw.of(pastimes)}`,
      thumb: number % thumbEvery === 0 ? makePicture(draw, 16, 16, 8) : undefined,
    }
  })
}
