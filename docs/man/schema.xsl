<?xml version="1.0" encoding="UTF-8"?>
<!-- Makes the reference parts of a man page of a schema, so that the reference
     and what is checked are the same words. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xsl:output method="text" encoding="UTF-8"/>
  <xsl:param name="version"/>
  <xsl:param name="date"/>
  <xsl:key name="type" match="/xs:schema/xs:*[@name]" use="@name"/>

  <!-- Text in one line, with what roff takes for commands escaped. -->
  <xsl:template name="text">
    <xsl:param name="of"/>
    <xsl:call-template name="replace">
      <xsl:with-param name="in" select="normalize-space($of)"/>
    </xsl:call-template>
  </xsl:template>
  <xsl:template name="replace">
    <xsl:param name="in"/>
    <xsl:choose>
      <xsl:when test="contains($in, '-')">
        <xsl:value-of select="concat(substring-before($in, '-'), '\-')"/>
        <xsl:call-template name="replace">
          <xsl:with-param name="in" select="substring-after($in, '-')"/>
        </xsl:call-template>
      </xsl:when>
      <xsl:otherwise><xsl:value-of select="$in"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
  <xsl:template name="documentation">
    <xsl:text>\&amp;</xsl:text>
    <xsl:call-template name="text">
      <xsl:with-param name="of" select="xs:annotation/xs:documentation"/>
    </xsl:call-template>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template match="xs:attribute">
    <xsl:text>.TP&#10;\fB</xsl:text>
    <xsl:call-template name="replace">
      <xsl:with-param name="in" select="@name"/>
    </xsl:call-template>
    <xsl:text>\fR</xsl:text>
    <xsl:variable name="type">
      <xsl:choose>
        <xsl:when test="@type = 'xs:unsignedByte'">0 to 255</xsl:when>
        <xsl:when test="@type = 'xs:unsignedShort'">0 to 65535</xsl:when>
        <xsl:when test="@type">\fI<xsl:value-of select="@type"/>\fR</xsl:when>
        <xsl:when test="xs:simpleType/xs:restriction/xs:enumeration">
          <xsl:for-each select="xs:simpleType/xs:restriction/xs:enumeration">
            <xsl:if test="position() > 1"> or </xsl:if>
            <xsl:value-of select="@value"/>
          </xsl:for-each>
        </xsl:when>
      </xsl:choose>
    </xsl:variable>
    <xsl:if test="$type != '' or @use = 'required'">
      <xsl:text> (</xsl:text>
      <xsl:value-of select="$type"/>
      <xsl:if test="$type != '' and @use = 'required'">, </xsl:if>
      <xsl:if test="@use = 'required'">required</xsl:if>
      <xsl:text>)</xsl:text>
    </xsl:if>
    <xsl:text>&#10;</xsl:text>
    <xsl:call-template name="documentation"/>
  </xsl:template>

  <xsl:template match="xs:element">
    <xsl:param name="within"/>
    <xsl:text>.SS &lt;</xsl:text>
    <xsl:value-of select="@name"/>
    <xsl:text>&gt;</xsl:text>
    <xsl:if test="$within"> in &lt;<xsl:value-of select="$within"/>&gt;</xsl:if>
    <xsl:text>&#10;</xsl:text>
    <xsl:call-template name="documentation"/>
    <xsl:variable name="type"
                  select="xs:complexType | key('type', @type)[self::xs:complexType]"/>
    <xsl:variable name="value" select="key('type', @type)[self::xs:simpleType]"/>
    <xsl:for-each select="$value">
      <xsl:text>.PP&#10;</xsl:text>
      <xsl:call-template name="documentation"/>
    </xsl:for-each>
    <xsl:apply-templates select="$type/xs:attribute"/>
    <xsl:if test="($type | $type/xs:choice)/xs:group[@ref = 'openings']">
      <xsl:text>.PP&#10;Holds openings: see below.&#10;</xsl:text>
    </xsl:if>
    <xsl:apply-templates select="$type/xs:choice/xs:element">
      <xsl:with-param name="within" select="@name"/>
    </xsl:apply-templates>
  </xsl:template>

  <xsl:template name="values">
    <xsl:text>.SH VALUES&#10;White space around a value does not count.&#10;</xsl:text>
    <xsl:for-each select="xs:simpleType">
      <xsl:text>.TP&#10;\fI</xsl:text>
      <xsl:value-of select="@name"/>
      <xsl:text>\fR&#10;</xsl:text>
      <xsl:call-template name="documentation"/>
    </xsl:for-each>
  </xsl:template>
</xsl:stylesheet>
