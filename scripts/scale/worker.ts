/** Measures one size in a thread of its own: there is more than one core. */
import { parentPort, workerData } from 'node:worker_threads'
import { measure, type MeasureOptions } from './measure.ts'

parentPort?.postMessage(measure(workerData as MeasureOptions))
