import GuestMemory
import TestSupport
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// Each request of the IOMMU device, and its statuses (virtio 1.3, 5.13.6).
@Suite struct IOMMUDeviceTests {
  private static let page = IOMMUFixture.page
  private static let disk = IOMMUFixture.disk
  private static let other = IOMMUFixture.other

  private enum Answer {
    static let ok: UInt32 = 0
    static let invalid: UInt32 = 4
    static let range: UInt32 = 5
    static let noEntry: UInt32 = 6
    static let noMemory: UInt32 = 8
    static let nothingWritten: UInt32 = 0x100
  }

  private func attached(mappingLimit: Int = IOMMU.mappingLimit) throws -> IOMMUFixture {
    var fixture = try IOMMUFixture(mappingLimit: mappingLimit)
    #expect(fixture.attach(domain: 1, endpoint: Self.disk) == Answer.ok)
    return fixture
  }

  @Test func theConfigurationTellsOfPagesAndRangesAndOffersNoBypass() throws {
    let fixture = try IOMMUFixture()
    func field(_ offset: UInt64, width: Int = 4) -> UInt64 {
      fixture.machine.readRegister(Register.configuration + offset, width: width)
    }
    func long(_ offset: UInt64) -> UInt64 { field(offset) | field(offset + 4) << 32 }

    #expect(fixture.machine.driver.read(Register.deviceID) == 23)
    #expect(fixture.machine.driver.offeredFeatures & 0xFF_FFFF == 0b001_0111)
    #expect(long(0) == 0xFFFF_FFFF_FFFF_F000)
    #expect(long(8) == fixture.page(0))
    #expect(long(16) == fixture.page(256) - 1)
    #expect(field(24) == 0)
    #expect(field(28) == 0xFFFF)
    #expect(field(32) == 64)
    #expect(field(36, width: 1) == 0)
  }

  @Test func aDriverThatCannotMapIsNotAgreedWith() throws {
    var fixture = try IOMMUFixture()
    let offered = fixture.machine.driver.offeredFeatures & ~Feature.eventIndex

    #expect(fixture.driver.start(offered & ~IOMMUDriver<TranslatedMachine>.mapUnmap) == false)
    #expect(fixture.machine.faults == [.featureDependency])
    #expect(fixture.driver.start(offered) == true)
  }

  @Test func attachesAreAnsweredAsSpecified() throws {
    var fixture = try IOMMUFixture()

    #expect(fixture.attach(domain: 1, endpoint: 8) == Answer.noEntry)
    #expect(fixture.attach(domain: 1, endpoint: Self.disk, flags: 1) == Answer.invalid)
    #expect(fixture.attach(domain: 1, endpoint: Self.disk, reserved: 1) == Answer.invalid)
    #expect(fixture.attach(domain: 0x1_0000, endpoint: Self.disk) == Answer.range)
    #expect(fixture.map(domain: 1, fixture.page(0), fixture.page(1) - 1, to: fixture.page(0)) == Answer.noEntry)
    #expect(fixture.attach(domain: 1, endpoint: Self.disk) == Answer.ok)
    #expect(fixture.attach(domain: 1, endpoint: Self.disk) == Answer.ok)
    #expect(fixture.attach(domain: 1, endpoint: Self.other) == Answer.ok)
    #expect(fixture.attach(domain: 0xFFFF, endpoint: Self.other) == Answer.ok)
    #expect(fixture.iommu.counters.attaches == 4)
    #expect(fixture.iommu.counters.refusals == 5)
  }

  @Test func anEndpointThatIsAttachedElsewhereLeavesItsDomainWhichEndsWithTheLast() throws {
    var fixture = try attached()
    #expect(fixture.map(0) == Answer.ok)

    #expect(fixture.attach(domain: 2, endpoint: Self.disk) == Answer.ok)

    #expect(fixture.map(1) == Answer.noEntry)
    #expect(fixture.iommu.mappings == 0)
    #expect(fixture.detach(domain: 1, endpoint: Self.disk) == Answer.invalid)
    #expect(fixture.detach(domain: 2, endpoint: Self.disk) == Answer.ok)
  }

  @Test func detachesAreAnsweredAsSpecified() throws {
    var fixture = try attached()
    #expect(fixture.attach(domain: 1, endpoint: Self.other) == Answer.ok)
    #expect(fixture.map(0) == Answer.ok)

    #expect(fixture.detach(domain: 1, endpoint: 8) == Answer.noEntry)
    #expect(fixture.detach(domain: 2, endpoint: Self.disk) == Answer.invalid)
    #expect(fixture.detach(domain: 1, endpoint: Self.disk, reserved: 1 << 63) == Answer.invalid)
    #expect(fixture.detach(domain: 1, endpoint: Self.disk) == Answer.ok)
    #expect(fixture.detach(domain: 1, endpoint: Self.disk) == Answer.invalid)
    // The other one is still there.
    #expect(fixture.map(1) == Answer.ok)
    #expect(fixture.detach(domain: 1, endpoint: Self.other) == Answer.ok)
    #expect(fixture.map(2) == Answer.noEntry)
    #expect(fixture.iommu.mappings == 0)
  }

  @Test func mapsAreAnsweredAsSpecified() throws {
    var fixture = try attached()
    let (start, end) = (fixture.page(0), fixture.page(256))
    func map(_ first: UInt64, _ last: UInt64, to target: UInt64, flags: UInt32 = 3) -> UInt32? {
      fixture.map(domain: 1, first, last, to: target, flags: flags)
    }

    #expect(fixture.map(domain: 2, start, start + 0xFFF, to: start) == Answer.noEntry)
    // MMIO is not offered, and the rest is unknown.
    for flags: UInt32 in [4, 7, 8, 1 << 31] {
      #expect(map(start, start + 0xFFF, to: start, flags: flags) == Answer.invalid)
    }
    #expect(map(start + 0x1000, start + 0xFFF, to: start) == Answer.invalid)
    #expect(map(start + 0x800, start + 0xFFF, to: start) == Answer.range)
    #expect(map(start, start + 0x7FF, to: start) == Answer.range)
    #expect(map(start, start + 0xFFF, to: start + 0x10) == Answer.range)
    // What may be mapped, and where it may lead, is RAM.
    #expect(map(start - 0x1000, start - 1, to: start) == Answer.range)
    #expect(map(end - 0x1000, end + 0xFFF, to: start) == Answer.range)
    #expect(map(0, UInt64.max, to: 0) == Answer.range)
    #expect(map(start, start + 0xFFF, to: end) == Answer.range)
    #expect(map(start, start + 0x1FFF, to: end - 0x1000) == Answer.range)
    #expect(map(start, start + 0xFFF, to: UInt64.max & ~0xFFF) == Answer.range)
    #expect(fixture.iommu.mappings == 0)

    #expect(map(start, end - 1, to: start) == Answer.ok)
    #expect(map(start, end - 1, to: start) == Answer.invalid)
    #expect(map(start + 0x5000, start + 0x5FFF, to: start) == Answer.invalid)
    #expect(fixture.unmap(0, count: 256) == Answer.ok)
    #expect(fixture.map(4, count: 4) == Answer.ok)
    #expect(fixture.map(3, count: 2) == Answer.invalid)
    #expect(fixture.map(7, count: 2) == Answer.invalid)
    #expect(fixture.map(3) == Answer.ok)
    #expect(fixture.map(8, flags: 0) == Answer.ok)
    #expect(fixture.iommu.mappings == 3)
  }

  @Test func unmapsAreAnsweredAsSpecifiedAndSplitNothing() throws {
    var fixture = try attached()
    #expect(fixture.map(4, count: 4) == Answer.ok)
    #expect(fixture.map(10) == Answer.ok)

    #expect(fixture.unmap(domain: 2, fixture.page(4), fixture.page(8) - 1) == Answer.noEntry)
    #expect(fixture.unmap(domain: 1, fixture.page(4), fixture.page(8) - 1, reserved: 1) == Answer.invalid)
    #expect(fixture.unmap(domain: 1, fixture.page(8), fixture.page(4)) == Answer.invalid)
    for (first, count): (UInt64, UInt64) in [(4, 2), (6, 2), (5, 1), (7, 4), (2, 3)] {
      #expect(fixture.unmap(first, count: count) == Answer.range)
    }
    #expect(fixture.unmap(domain: 1, fixture.page(4), fixture.page(8) - 2) == Answer.range)
    #expect(fixture.iommu.mappings == 2)
    #expect(fixture.unmap(12, count: 20) == Answer.ok)
    #expect(fixture.unmap(9, count: 1) == Answer.ok)
    #expect(fixture.iommu.mappings == 2)
    // With holes before, between and behind.
    #expect(fixture.unmap(domain: 1, 0, UInt64.max) == Answer.ok)
    #expect(fixture.iommu.mappings == 0)
    #expect(fixture.unmap(4, count: 4) == Answer.ok)
  }

  @Test func aProbeFindsNoPropertiesOfWhatIsThere() throws {
    var fixture = try IOMMUFixture()

    #expect(fixture.probe(endpoint: Self.disk) == Answer.ok)
    let properties = (0..<UInt64(64)).map { fixture.driver.property($0) }
    #expect(properties.allSatisfy { $0 == 0 })
    #expect(fixture.probe(endpoint: 8) == Answer.noEntry)
    #expect(fixture.probe(endpoint: Self.disk, reserved: 1) == Answer.invalid)
    #expect(fixture.probe(endpoint: Self.disk, properties: 56) == Answer.invalid)
    #expect(fixture.probe(endpoint: Self.disk, properties: 0) == Answer.invalid)
  }

  @Test func whatIsNoRequestIsGivenBackUnwritten() throws {
    var fixture = try IOMMUFixture()

    for type: UInt32 in [0, 6, 0x7F, 0xFF] {
      #expect(fixture.send(type: type, readable: 20) == Answer.nothingWritten)
      #expect(fixture.send(type: type, readable: 4, writable: 0) == Answer.nothingWritten)
    }
    #expect(fixture.machine.faults == [])
    #expect(fixture.attach(domain: 1, endpoint: Self.disk) == Answer.ok)
  }

  @Test(arguments: [(1, 19), (2, 19), (3, 35), (4, 27), (5, 71), (1, 3)])
  func aRequestThatIsCutShortFailsTheDevice(type: UInt32, readable: UInt64) throws {
    var fixture = try attached()

    #expect(fixture.send(type: type, readable: readable) == nil)

    #expect(fixture.machine.faults == [.headerIncomplete])
    #expect(fixture.machine.needsReset)
    #expect(fixture.driver.start() == true)
    #expect(fixture.attach(domain: 1, endpoint: Self.disk) == Answer.ok)
  }

  @Test func aRequestWithoutRoomForItsStatusFailsTheDevice() throws {
    var fixture = try IOMMUFixture()

    #expect(fixture.send(type: 1, readable: 20, writable: 3) == nil)

    #expect(fixture.machine.faults == [.writableMissing])
  }

  @Test func mappingsAreBoundedOverAllDomains() throws {
    var fixture = try attached(mappingLimit: 4)
    #expect(fixture.attach(domain: 2, endpoint: Self.other) == Answer.ok)
    let (start, last) = (fixture.page(0), fixture.page(1) - 1)
    #expect(fixture.map(domain: 2, start, last, to: start) == Answer.ok)

    for number: UInt64 in 0..<3 { #expect(fixture.map(number) == Answer.ok) }
    for number: UInt64 in 3..<100 { #expect(fixture.map(number) == Answer.noMemory) }
    #expect(fixture.iommu.mappings == 4)
    #expect(fixture.unmap(0, count: 2) == Answer.ok)
    #expect(fixture.map(50, count: 20) == Answer.ok)
    #expect(fixture.map(0) == Answer.ok)
    #expect(fixture.map(1) == Answer.noMemory)
    #expect(fixture.detach(domain: 2, endpoint: Self.other) == Answer.ok)
    #expect(fixture.map(1) == Answer.ok)
    #expect(fixture.iommu.counters.mostMappings == 4)
  }

  @Test func aResetLeavesNothingAttached() throws {
    var fixture = try attached()
    #expect(fixture.map(0) == Answer.ok)

    #expect(fixture.driver.start() == true)

    #expect(fixture.iommu.mappings == 0)
    #expect(fixture.map(1) == Answer.noEntry)
    #expect(fixture.detach(domain: 1, endpoint: Self.disk) == Answer.invalid)
  }

  /// What is mapped is what a list of pages says, whatever was asked for before.
  @Test(arguments: 0..<Effort.cases(40))
  func mappingsAreThoseOfAPlainListOfPages(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    var fixture = try attached()
    let view = fixture.diskMachine.transport.connection.space
    // Of each page: where it leads, for what, and the first page of its mapping.
    var pages = [(target: UInt64, flags: UInt32, first: UInt64)?](repeating: nil, count: 256)
    for _ in 0..<400 {
      let first = UInt64.random(in: 0..<256, using: &random)
      let count = UInt64.random(in: 1...min(random.next() % 8 == 0 ? 64 : 3, 256 - first), using: &random)
      let run = Int(first)..<Int(first + count)
      if random.next() % 5 < 3 {
        let target = UInt64.random(in: 0...256 - count, using: &random)
        let flags = UInt32(random.next() % 4)
        let isFree = pages[run].allSatisfy { $0 == nil }
        #expect(fixture.map(first, count: count, to: target, flags: flags) == (isFree ? Answer.ok : Answer.invalid))
        if isFree { for page in run { pages[page] = (target + UInt64(page) - first, flags, first) } }
      } else {
        let isCutBefore = pages[run.lowerBound].map { $0.first < first } ?? false
        let behind = run.upperBound < 256 ? pages[run.upperBound] : nil
        let isCutBehind = behind.map { $0.first < first + count } ?? false
        let status = fixture.unmap(first, count: count)
        #expect(status == (isCutBefore || isCutBehind ? Answer.range : Answer.ok))
        if status == Answer.ok { for page in run { pages[page] = nil } }
      }
      let starts = Set(pages.compactMap { $0?.first })
      #expect(fixture.iommu.mappings == starts.count)
    }
    for page in UInt64(0)..<256 {
      let mapping = pages[Int(page)]
      let target = fixture.page(mapping?.target ?? 0) + 8
      for (access, flag): (DMAPermissions, UInt32) in [(.read, 1), (.write, 2), (.readWrite, 3)] {
        // SAFETY: places are compared and not used; the fixture keeps both spaces.
        let place = unsafe view.view.place(of: fixture.page(page) + 8, count: 4088, for: access)
        let expected = unsafe fixture.machine.space.view.place(of: target, count: 4088, for: .read)
        let isAllowed = mapping.map { $0.flags & flag == flag } ?? false
        let isRight = unsafe place == (isAllowed ? expected : nil)
        #expect(isRight, "page \(page)")
      }
    }
  }
}
