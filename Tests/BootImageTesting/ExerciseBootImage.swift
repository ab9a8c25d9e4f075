internal import BootImage
public import GuestMemory

/// Takes `bytes` for a boot image of every kind: inspects, places and loads it.
///
/// Bytes that are no image are fine, whatever they are. A promise that does not hold for them is a trap: a part of the
/// image, the initramfs or the device tree outside RAM or on top of another, or an entry outside the image.
///
/// - Parameter ram: is overwritten; it starts at a multiple of 2 MiB.
public func exerciseBootImage(_ bytes: Span<UInt8>, in ram: borrowing PrivateRAM) {
  for raw in [false, true] {
    do throws(BootImageError) {
      let file = try BootImageFile(name: "exercise", contents: bytes)
      let image = try file.inspect(raw: raw)
      let placement = try BootPlacement(
        image,
        initramfs: BootPlacement.Initramfs(file),
        deviceTreeSize: 64 << 10,
        in: ram.range
      )
      placement.checkPromises(in: ram.range)
      let loaded = try file.load(image, into: ram)
      precondition(loaded.entry == placement.entry && loaded.segments == placement.segments, "loaded as placed")
      precondition(loaded.loadedSize <= loaded.segments.reduce(0) { $0 + $1.size }, "loaded within the segments")
    } catch {
      precondition(error.description.hasPrefix("'exercise' "), "every error names the file")
    }
  }
}

extension BootPlacement {
  fileprivate func checkPromises(in ram: GuestRange) {
    let places = segments + [deviceTree] + (initramfs.map { [$0] } ?? [])
    for (index, place) in places.enumerated() {
      precondition(ram.contains(place), "everything lies in RAM")
      precondition(!places[..<index].contains { $0.overlaps(place) }, "nothing overlaps")
    }
    precondition(segments.contains { $0.contains(entry) }, "the entry lies in the image")
  }
}
