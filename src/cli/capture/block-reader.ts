/** Follows the daemon's pcapng (src/packet/pcapng-writer.ts), so that a file ends with a whole block and its counts are known. */
export class BlockReader {
  #rest: Buffer = Buffer.alloc(0)
  #blocks = 0
  #announced = false
  /** As they arrived: those that left are the same once more. */
  packets = 0
  lost = 0

  /** The whole blocks of what has come by now; the rest of it waits for more. */
  whole(chunk: Buffer): Buffer {
    const bytes = Buffer.concat([this.#rest, chunk])
    let end = 0
    while (end + 8 <= bytes.length) {
      const length = bytes.readUInt32LE(end + 4)
      if (end + length > bytes.length) break
      this.#count(bytes.subarray(end, end + length))
      end += length
    }
    this.#rest = bytes.subarray(end)
    return bytes.subarray(0, end)
  }

  /** True once: the capture has begun. */
  get isBegun(): boolean {
    if (this.#announced || this.#blocks === 0) return false
    this.#announced = true
    return true
  }

  #count(block: Buffer): void {
    this.#blocks++
    const type = block.readUInt32LE(0)
    if (type === ENHANCED_PACKET && isInbound(block)) this.packets++
    if (type === STATISTICS) this.lost = Number(block.readBigUInt64LE(STATISTICS_DROPPED))
  }
}

const ENHANCED_PACKET = 6
const STATISTICS = 5
/** Behind the fixed fields and the option before it, isb_ifrecv. */
const STATISTICS_DROPPED = 20 + 12 + 4

const COMMENT = 1
const FLAGS = 2

/** epb_flags stands behind the comment. */
function isInbound(block: Buffer): boolean {
  let at = 28 + ((block.readUInt32LE(20) + 3) & ~3)
  if (block.readUInt16LE(at) === COMMENT) at += 4 + ((block.readUInt16LE(at + 2) + 3) & ~3)
  return block.readUInt16LE(at) === FLAGS && block.readUInt32LE(at + 4) === 1
}
