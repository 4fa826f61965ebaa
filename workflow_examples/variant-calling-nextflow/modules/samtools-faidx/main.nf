// Index a FASTA file.
process SAMTOOLS_FAIDX {
    tag "${sequences.name}"
    conda "${moduleDir}/environment.yml"

    input:
    path sequences

    output:
    path "${sequences}.fai", emit: index

    script:
    """
    samtools faidx ${sequences}
    """
}
