cwlVersion: v1.2
class: CommandLineTool
label: Count the alleles of cases and of controls
doc: For each variant, how many copies of either allele the cases have, and how many the controls.
requirements:
  InitialWorkDirRequirement:
    listing:
      - entryname: count.awk
        entry: |
          BEGIN { FS = OFS = "\t" }
          FNR == NR { if (FNR > 1) status[$1] = $2; next }
          /^##/ { next }
          /^#CHROM/ {
            for (i = 10; i <= NF; i++) if (status[$i] == "case") ill[i] = 1; else if (status[$i] == "control") well[i] = 1
            print "variant", "case_other", "case_reference", "control_other", "control_reference"
            next
          }
          {
            split("", n)
            for (i = 10; i <= NF; i++) {
              split($i, allele, /[|\/]/)
              for (k = 1; k <= 2; k++) if (i in ill) n["case" allele[k]]++; else if (i in well) n["control" allele[k]]++
            }
            print $3, n["case1"] + 0, n["case0"] + 0, n["control1"] + 0, n["control0"] + 0
          }
  EnvVarRequirement:
    envDef: {LC_ALL: C}
baseCommand: [awk, -f, count.awk]
inputs:
  phenotypes:
    type: File
    inputBinding: {position: 1}
  genotypes:
    type: File
    inputBinding: {position: 2}
stdout: alleles.tsv
outputs:
  alleles: stdout
