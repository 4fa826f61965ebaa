// Unpack a file compressed with gzip.
process GUNZIP {
    tag "${packed.baseName}"
    conda "${moduleDir}/environment.yml"

    input:
    // In a folder, lest a file without a suffix be in its own result's way.
    path packed, stageAs: 'packed/*'

    output:
    path "${packed.baseName}", emit: unpacked

    script:
    """
    gzip --decompress --stdout ${packed} >${packed.baseName}
    """
}
