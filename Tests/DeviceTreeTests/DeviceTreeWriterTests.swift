import DeviceTree
import Testing

@Suite struct DeviceTreeWriterTests {
  @Test func finishedTreeHasTheMagicAndItsOwnSizeInTheHeader() throws {
    var tree = DeviceTreeWriter()
    tree.node("") { root in
      root.property("compatible", "linux,dummy-virt")
    }

    let blob = try tree.finish()

    #expect(Array(blob[0..<4]) == [0xD0, 0x0D, 0xFE, 0xED])
    #expect(blob[4..<8].reduce(0) { $0 << 8 | Int($1) } == blob.count)
  }

  @Test func namesThatAreNotSharedMakeTheTreeLargerAndNoOther() throws {
    func tree(sharesNames: Bool) throws -> [UInt8] {
      var tree = DeviceTreeWriter(sharesNames: sharesNames)
      tree.node("") { root in
        for index in 0..<3 { root.node("node@\(index)") { $0.property("interrupts", cells: [UInt32(index)]) } }
      }
      return try tree.finish()
    }

    let shared = try tree(sharesNames: true)
    let apart = try tree(sharesNames: false)

    #expect(apart.count == shared.count + 2 * "interrupts".utf8.count + 2)
    #expect(try DeviceTreeSource.text(of: apart) == DeviceTreeSource.text(of: shared))
  }

  @Test func propertiesAreBigEndianCellsAndZeroTerminatedTexts() throws {
    var tree = DeviceTreeWriter()
    tree.node("") { root in
      root.property("cells", cells: [0x0102_0304])
      root.property("wide", wide: [0x0506_0708_090A_0B0C])
      root.property("texts", strings: ["a", "bc"])
    }

    let blob = try tree.finish()

    #expect(blob.contains([1, 2, 3, 4]))
    #expect(blob.contains([5, 6, 7, 8, 9, 10, 11, 12]))
    #expect(blob.contains([0x61, 0, 0x62, 0x63, 0]))
  }

  @Test func treeLargerThanTheFirstBufferKeepsEveryNode() throws {
    var tree = DeviceTreeWriter()
    tree.node("") { root in
      for index in 0..<2000 {
        root.node("node-\(index)") { $0.property("reg", cells: [UInt32(index)]) }
      }
    }

    let blob = try tree.finish()

    #expect(blob.contains(Array("node-0\0".utf8)))
    #expect(blob.contains(Array("node-1999\0".utf8)))
  }

  @Test func propertyBehindAChildIsAProgrammingErrorThatEndsTheProcess() async {
    await #expect(processExitsWith: .failure) {
      var tree = DeviceTreeWriter()
      tree.node("") { root in
        root.node("child") { _ in }
        root.property("late")
      }
    }
  }
}
