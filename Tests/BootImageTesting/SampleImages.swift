/// One small image of each kind, with headers that have something to damage: what mutations begin with.
public let sampleImages: [[UInt8]] = {
  let stub = linuxImageWithEFIStub(size: 2048, sectionEnd: 2048)
  let small = zboot(zstd(stub), compression: "zstd", trailer: [0, 8, 0, 0], offset: 64)
  return [
    linuxImage(size: 1000), stub, gzip(stub), gzip(stub) + gzip([1, 2, 3]),
    zboot(gzip(stub), compression: "gzip", offset: 64), small, zstd(stub), simpleELF(),
  ]
}()
