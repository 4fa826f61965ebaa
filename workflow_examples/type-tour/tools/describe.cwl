cwlVersion: v1.2
class: ExpressionTool
label: Put all values into one object
requirements:
  InlineJavascriptRequirement: {}
  SchemaDefRequirement:
    types:
      - $import: ../types.yml
inputs:
  flag: boolean
  count: int
  distance: long
  ratio: float
  precise: double
  title: string
  absent: string?
  no_file: File?
  defaulted: int
  colour: ../types.yml#colour
  label_or_number: [string, int]
  anything: Any
  person: ../types.yml#person
  crew:
    type:
      type: array
      items: ../types.yml#person
  matrix:
    type:
      type: array
      items:
        type: array
        items: int
outputs:
  described: Any
expression: |
  ${
    var total = inputs.matrix.reduce(function (sum, row) {
      return sum + row.reduce(function (a, b) { return a + b; }, 0);
    }, 0);
    return {"described": {
      "scalars": {
        "flag": inputs.flag, "count": inputs.count, "distance": inputs.distance,
        "ratio": inputs.ratio, "precise": inputs.precise, "title": inputs.title
      },
      "nothing": {"absent": inputs.absent, "no_file": inputs.no_file, "defaulted": inputs.defaulted},
      "choices": {
        "colour": inputs.colour, "label_or_number": inputs.label_or_number, "anything": inputs.anything
      },
      "people": {"first": inputs.person, "crew": inputs.crew.map(function (one) { return one.name; })},
      "matrix": {"rows": inputs.matrix.length, "sum": total}
    }};
  }
