internal import SCMI

/// Consumers of the kind device, and their nodes.
extension Validator {
  /// Of another kind than device.
  mutating func isPlain(_ consumer: ConsumerDefinition, _ path: String) {
    let node = consumer.node
    let present: [(String, Bool)] = [
      ("compatible", !consumer.compatible.isEmpty), ("properties", !node.properties.isEmpty),
      ("names", !node.names.isEmpty), ("children", !node.children.isEmpty),
      ("registers", !consumer.registers.isEmpty), ("interrupts", !consumer.interrupts.isEmpty),
    ]
    for (key, isPresent) in present where isPresent {
      fail(path + "/\(key)", "a consumer of the kind \(consumer.kind.rawValue) has none; expected the kind device")
    }
  }

  mutating func device(_ consumer: ConsumerDefinition, _ path: String) {
    expect(!consumer.compatible.isEmpty, path + "/compatible", "expected at least one string")
    compatible(consumer.compatible, path)
    node(consumer.node, consumer.resources, path)
    expect(
      consumer.registers.isEmpty || !consumer.node.properties.contains { $0.name == "reg" },
      path + "/properties/reg",
      "Apus writes this property itself, from the registers"
    )
    names(consumer.registers.map(\.name), path + "/registers")
    names(consumer.interrupts.map(\.name), path + "/interrupts")
    for (index, registers) in consumer.registers.enumerated() {
      let place = path + "/registers/\(index)"
      expect(
        registers.size % 4 == 0 && (4...(1 << 20)).contains(registers.size),
        place + "/size",
        "expected a multiple of 4 from 4 to 1048576 bytes"
      )
      expect(
        registers.words.count <= Int(registers.size / 4),
        place + "/words",
        "\(registers.words.count) words are more than its size, \(registers.size) bytes"
      )
    }
  }

  /// All devices have to find room in the machine.
  mutating func devices(_ consumers: [ConsumerDefinition], _ path: String) {
    var bytes: UInt64 = 0
    var lines = 0
    for (index, consumer) in consumers.enumerated() {
      let (bytesBefore, linesBefore) = (bytes, lines)
      for registers in consumer.registers { bytes += registers.span }
      lines += consumer.interrupts.count
      if bytes > RegisterDefinition.room, bytesBefore <= RegisterDefinition.room {
        fail(path + "/\(index)/registers", "all registers together have more than 16 MiB (in pages of 4 KiB)")
      }
      if lines > InterruptDefinition.limit, linesBefore <= InterruptDefinition.limit {
        fail(path + "/\(index)/interrupts", "expected at most \(InterruptDefinition.limit) interrupts in all")
      }
    }
  }

  private mutating func node(_ node: DeviceNodeDefinition, _ resources: [ResourceName], _ path: String) {
    var seen: Set<String> = []
    for property in node.properties {
      let place = path + "/properties/\(property.name)"
      expect(
        isPropertyName(property.name),
        place,
        "expected a name of 1 to 31 of the characters A–Z a–z 0–9 , . _ + ? # -"
      )
      expect(seen.insert(property.name).inserted, place, "\"\(property.name)\" is there twice")
      expect(
        !DeviceNodeDefinition.ownProperties.contains(property.name) && !property.name.hasSuffix("-supply"),
        place,
        "Apus writes this property itself, from the other keys of the consumer"
      )
      if case .strings(let strings) = property.value {
        expect(strings.allSatisfy(isText), place, "expected strings without zero characters")
      }
    }
    for (resource, name) in node.names.sorted(by: { $0.key.description < $1.key.description }) {
      let place = path + "/names/\(resource.description.replacingSlash)"
      expect(resources.contains(resource), place, "\(resource) is none of the consumer's resources")
      expect(isText(name) && !name.isEmpty, place, "expected a name")
    }
    for resource in resources where resource.kind == .voltageDomain {
      let name = node.names[resource] ?? resource.name
      expect(
        isPropertyName(name) && name.utf8.count <= 24,
        path + "/names",
        "\(resource) needs a name for its supply: 1 to 24 of the characters A–Z a–z 0–9 , . _ + ? # -"
      )
    }
    var children: Set<String> = []
    for (index, child) in node.children.enumerated() {
      let place = path + "/children/\(index)"
      let parts = child.name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
      let isAddress =
        parts.count == 1 || !parts[1].isEmpty && parts[1].utf8.allSatisfy { isHexadecimal($0) || $0 == 0x2C }
      expect(
        isPropertyName(String(parts[0])) && isLetter(child.name.utf8.first) && isAddress && child.name.utf8.count <= 31,
        place + "/name",
        "expected a node's name, such as port or port@1"
      )
      expect(children.insert(child.name).inserted, place + "/name", "\"\(child.name)\" is there twice")
      compatible(child.compatible, place)
      self.resources(child.resources, of: .device, place)
      self.node(child.node, child.resources, place)
    }
  }

  private mutating func compatible(_ strings: [String], _ path: String) {
    for (index, string) in strings.enumerated() {
      expect(
        isText(string) && !string.isEmpty,
        path + "/compatible/\(index)",
        "expected a string such as \"vendor,device\""
      )
    }
  }

  /// `reg-names` and the like name all or none.
  private mutating func names(_ names: [String], _ path: String) {
    let named = names.count { !$0.isEmpty }
    expect(named == 0 || named == names.count, path, "expected a name for each of them or for none")
    for (index, name) in names.enumerated() {
      expect(isText(name), path + "/\(index)/name", "expected printable characters")
    }
  }

  private func isText(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }

  /// Devicetree specification, 2.2.4.
  private func isPropertyName(_ name: String) -> Bool {
    let others: [UInt8] = [0x2C, 0x2E, 0x5F, 0x2B, 0x3F, 0x23, 0x2D]
    return 1...31 ~= name.utf8.count
      && name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || others.contains($0) }
  }

  private func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
  }
}

extension DeviceNodeDefinition {
  /// What Apus writes into the node of a device by itself.
  static let ownProperties: Set<String> = [
    "compatible", "phandle", "linux,phandle", "interrupts", "interrupt-names", "reg-names", "clocks", "clock-names",
    "assigned-clocks", "assigned-clock-rates", "assigned-clock-parents", "resets", "reset-names", "power-domains",
    "power-domain-names", "pinctrl-0", "pinctrl-names",
  ]
}

extension String {
  /// A name as a part of a JSON pointer (RFC 6901).
  fileprivate var replacingSlash: String {
    split(separator: "/", omittingEmptySubsequences: false).joined(separator: "~1")
  }
}
